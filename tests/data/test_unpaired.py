import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pix2pix_tf.data import pipelines
from pix2pix_tf.data.augment import jitter
from pix2pix_tf.data.resize import resize
from pix2pix_tf.data.sizes import ResizeSpec


def photograph(seed, height, width):
    """Smooth colours with a few sharp edges."""
    draw = np.random.default_rng(seed)
    noise = Image.fromarray(draw.integers(0, 256, (9, 9, 3), np.uint8))
    pixels = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)).copy()
    pixels[height // 3 : height // 2, width // 4 : width // 2] = 255
    pixels[height // 2 :, : width // 3] = 0
    return pixels


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 91), (120, 200)])
def test_bicubic_equals_pillow(height, width):
    pixels = photograph(0, height, width)
    expected = Image.fromarray(pixels).resize((72, 72), Image.Resampling.BICUBIC)
    signed = tf.constant(pixels / 127.5 - 1, tf.float32)
    received = (resize(signed, 72, 72, method="bicubic").numpy() + 1) * 127.5
    difference = np.abs(received - np.asarray(expected, np.float32))
    # Measured on photographs: one value in 10,000 is off by one.
    assert difference.max() < 1.01
    assert np.mean(difference > 0.01) < 5e-3


def test_bicubic_leaves_an_image_of_that_size_alone():
    signed = tf.constant(photograph(1, 64, 64) / 127.5 - 1, tf.float32)
    np.testing.assert_allclose(resize(signed, 64, 64, method="bicubic"), signed, atol=1e-6)


def test_bicubic_keeps_the_depth_and_the_range_of_deep_images():
    ramp = np.linspace(-1.5, 1.2, 64, dtype=np.float32)
    deep = tf.constant(np.broadcast_to(ramp[None, :, None], (8, 64, 1)))
    received = resize(deep, 8, 128, method="bicubic").numpy()[0, :, 0]
    expected = (np.arange(128) + 0.5) / 2 - 0.5
    # Away from the border a bicubic kernel leaves a ramp a ramp.
    wanted = np.interp(expected, np.arange(64), ramp)[8:-8]
    np.testing.assert_allclose(received[8:-8], wanted, atol=1e-5)
    assert received.min() == ramp[0] and received.max() == ramp[-1]


def test_bicubic_jitter_keeps_images_that_belong_together_together():
    signed = tf.constant(photograph(2, 80, 64) / 127.5 - 1, tf.float32)
    framing = ResizeSpec(scale_size=40, crop_size=32, method="bicubic")
    one, two = jitter([signed, signed], tf.constant([3, 4]), framing, flip=True)
    np.testing.assert_array_equal(one, two)
    again = tf.function(lambda: jitter([signed], tf.constant([3, 4]), framing, flip=True))()[0]
    np.testing.assert_allclose(one, again, atol=1e-6)


def indices(counts, examples, seed=0):
    return [
        tuple(map(int, pipelines.unpaired_indices(number, counts, seed)))
        for number in range(examples)
    ]


@pytest.mark.parametrize("counts", [(7, 4), (4, 7)])
def test_an_epoch_is_as_long_as_the_larger_set(counts):
    first = [a for a, _ in indices(counts, 7)]
    assert sorted(first) == sorted(number % counts[0] for number in range(7))
    second = [a for a, _ in indices(counts, 14)][7:]
    assert sorted(second) == sorted(first)
    assert second != first


def test_b_is_drawn_independently_with_replacement():
    drawn = indices((5, 4), 600)
    counts = np.zeros((5, 4))
    for a, b in drawn:
        counts[a, b] += 1
    # 30 of each combination are expected; seven standard deviations on either side.
    assert counts.min() > 0
    assert counts.max() < 30 + 7 * 30**0.5
    # A permutation would not repeat within four draws.
    assert any(len({b for _, b in drawn[i : i + 4]}) < 4 for i in range(0, 600, 4))
    assert [b for _, b in indices((5, 4), 20, seed=1)] != [b for _, b in drawn[:20]]


def test_one_file_each_is_enough():
    assert indices((1, 1), 3) == [(0, 0)] * 3


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    places = {}
    for side, count, size in (("A", 5, (40, 40)), ("B", 3, (52, 36))):
        folder = tmp_path_factory.mktemp(side)
        for number in range(count):
            pixels = np.full((*size, 3), 40 * number + (side == "B"), np.uint8)
            pixels[:, : size[1] // 2, 0] = 255
            Image.fromarray(pixels).save(folder / f"{number}.png")
        places[side] = [str(folder / f"{number}.png") for number in range(count)]
    return places["A"], places["B"]


def batches(folders, count, **options):
    options = {"batch_size": 2, "seed": 5, "load_size": 36, "crop_size": 32, **options}
    dataset = pipelines.training_unpaired(*folders, **options)
    return [tuple(part.numpy() for part in batch) for batch in dataset.take(count)]


def test_batches_are_cropped_images_of_both_sets(folders):
    for step, (a, b) in enumerate(batches(folders, 4)):
        assert a.shape == b.shape == (2, 32, 32, 3)
        assert a.dtype == b.dtype == np.float32
        assert -1 <= min(a.min(), b.min()) and max(a.max(), b.max()) <= 1
        chosen = pipelines.unpaired_paths(*folders, step, batch_size=2, seed=5)
        for images, paths in zip((a, b), chosen, strict=True):
            for image, path in zip(images, paths, strict=True):
                level = np.asarray(Image.open(path))[0, 0, 1]
                np.testing.assert_allclose(image[..., 1], level / 127.5 - 1, atol=1e-6)


def test_any_batch_can_be_made_without_the_ones_before_it(folders):
    whole = batches(folders, 6)
    for (a, b), (later_a, later_b) in zip(
        whole[4:], batches(folders, 2, first_step=4), strict=True
    ):
        np.testing.assert_array_equal(a, later_a)
        np.testing.assert_array_equal(b, later_b)


def test_both_sets_are_mirrored_at_random_and_independently(folders):
    mirrored = [
        tuple(bool(image[0, 0, 0] < image[0, -1, 0]) for image in (a[0], b[0]))
        for a, b in batches(folders, 64, batch_size=1)
    ]
    assert set(mirrored) == {(x, y) for x in (False, True) for y in (False, True)}
    still = batches(folders, 8, flip=False)
    assert all(
        image[0, 0, 0] > image[0, -1, 0] for pair in still for part in pair for image in part
    )


def test_sizes_follow_from_the_options(folders):
    options = {"preprocess": "scale_width", "load_size": "36x30", "multiple": 8}
    for batch in batches(folders, 4, batch_size=1, **options):
        # To a width of 30 and the nearest multiples of 8.
        assert [part.shape[1:3] for part in batch] == [(32, 32), (40, 32)]
