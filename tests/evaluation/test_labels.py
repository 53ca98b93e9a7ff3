import os

import numpy as np
import pytest

from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.labels import (
    confusion_matrix,
    label_scores,
    nearest_label,
    recovery,
)
from pix2pix_tf.evaluation.palettes import (
    CITYSCAPES_CLASSES,
    CITYSCAPES_VOID,
    Palette,
    find_palette,
    named_colours,
    resolve_palette,
)


def naive_scores(truth, prediction, classes):
    """The definitions, pixel by pixel and class by class."""
    pixels = [(t, p) for t, p in zip(truth.flat, prediction.flat, strict=True) if 0 <= t < classes]
    recall, overlap = [], []
    for c in range(classes):
        true = [i for i, (t, _) in enumerate(pixels) if t == c]
        found = [i for i, (_, p) in enumerate(pixels) if p == c]
        if true:
            recall.append(len(set(true) & set(found)) / len(true))
            overlap.append(len(set(true) & set(found)) / len(set(true) | set(found)))
    return {
        "per_pixel_accuracy": sum(t == p for t, p in pixels) / len(pixels),
        "per_class_accuracy": sum(recall) / len(recall),
        "class_IoU": sum(overlap) / len(overlap),
    }


def test_scores_are_the_definitions():
    random = np.random.default_rng(0)
    palette = Palette(CITYSCAPES_CLASSES[:6], CITYSCAPES_VOID[:1])
    colours = np.array(palette.classes + palette.void, np.uint8)
    truth = random.choice([0, 1, 2, 5, 6], p=[0.5, 0.2, 0.15, 0.1, 0.05], size=(3, 17, 23))
    # Class 3 is predicted though it never is true, class 4 is neither, 6 is void.
    wrong = random.choice([0, 1, 3], size=truth.shape)
    prediction = np.where(random.random(truth.shape) < 0.6, truth % 6, wrong)
    confusion = sum(
        confusion_matrix(colours[t], colours[p], palette=palette)
        for t, p in zip(truth, prediction, strict=True)
    )
    assert confusion.shape == (6, 6) and confusion.sum() == (truth < 6).sum()
    assert confusion[0, 3] == ((truth == 0) & (prediction == 3)).sum()
    expected = naive_scores(truth, prediction, 6)
    assert 0.3 < expected["class_IoU"] < expected["per_class_accuracy"] < 0.9
    assert label_scores(confusion) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="no pixel of a scored class"):
        label_scores(np.zeros((3, 3)))


def test_recovery_scores_what_a_recogniser_sees():
    random = np.random.default_rng(3)
    palette = find_palette("facades")
    colours = np.array(palette.classes, np.float32) / 255
    truth, guess = random.integers(12, size=(2, 4, 20, 24))
    images = random.random((4, 20, 24, 3), np.float32)
    maps = {image.tobytes(): colours[labels] for image, labels in zip(images, guess, strict=True)}
    scores = recovery(
        images, colours[truth], recognise=lambda x: maps[x.tobytes()], palette=palette
    )
    expected = naive_scores(truth, guess, 12)
    assert scores == pytest.approx({f"recovery_{name}": v for name, v in expected.items()})
    perfect = recovery(colours[truth], colours[truth], recognise=lambda x: x, palette=palette)
    assert set(perfect.values()) == {1.0}
    with pytest.raises(ValueError, match="size of their inputs for recovery"):
        recovery(images, colours[truth], recognise=lambda x: x[1:], palette=palette)


def test_nearest_label_is_the_smallest_squared_distance():
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    image[0, 0, 0], image[0, 0, 1] = (255, 255, 255), (0, 0, 0)
    palette = CITYSCAPES_CLASSES + CITYSCAPES_VOID
    distances = [
        [sum((int(a) - b) ** 2 for a, b in zip(pixel, colour, strict=True)) for colour in palette]
        for pixel in image.reshape(-1, 3)
    ]
    # Of two colours at the same distance the first is taken.
    expected = np.array([row.index(min(row)) for row in distances]).reshape(2, 9, 7)
    np.testing.assert_array_equal(nearest_label(image, palette), expected)


def test_cityscapes_maps_with_noise_are_read_and_void_is_left_out():
    random = np.random.default_rng(2)
    palette = np.array(CITYSCAPES_CLASSES + CITYSCAPES_VOID)
    truth = np.tile(np.arange(len(palette)), (6, 1))
    # The nearest two colours, (0, 0, 70) and (0, 0, 90), are 20 apart.
    noisy = np.clip(palette[truth] + random.integers(-5, 6, (6, len(palette), 3)), 0, 255)
    noisy = noisy.astype(np.uint8)
    np.testing.assert_array_equal(nearest_label(noisy, palette), truth)
    confusion = confusion_matrix(noisy, noisy, palette=find_palette("cityscapes"))
    assert len(CITYSCAPES_CLASSES) == 19 and confusion.sum() == 6 * 19
    assert label_scores(confusion)["class_IoU"] == 1.0


def test_palettes_have_names_or_files(tmp_path):
    facades = find_palette("facades")
    assert len(facades.classes) == 12 and facades.void == ()
    assert find_palette("cityscapes") == (CITYSCAPES_CLASSES, CITYSCAPES_VOID)
    file = tmp_path / "mine.txt"
    file.write_text("# red green blue name\n\n1 2 3 road\n4 5 6 void\n 7\t8 9\n")
    assert find_palette(file) == (((1, 2, 3), (7, 8, 9)), ((4, 5, 6),))
    text = resolve_palette(str(file))
    assert text == resolve_palette(text) == "1 2 3 road; 4 5 6 void; 7 8 9"
    assert find_palette(text) == find_palette(file)
    assert named_colours(text) == {"road": (1, 2, 3), "label 1": (7, 8, 9)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3 void\n", "at least one class"),
        ("", "at least one class"),
        ("1 2 3 a\n1 2 3 b\n", "different colours"),
        ("1 2\n", "RED GREEN BLUE NAME, from 0 to 255, in line 1 of .*mine.txt"),
        ("1 2 256 sky\n", "line 1 of"),
        ("road 1 2 3\n", "line 1 of"),
        ("\xff\xfe", "RED GREEN BLUE"),
    ],
)
def test_other_palette_files_are_refused(tmp_path, text, message):
    file = tmp_path / "mine.txt"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        find_palette(file)
    assert "road" not in str(caught.value)  # whatever file it is, its contents are not shown


def test_a_palette_is_a_file_of_bounded_size(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"1 2 3\n" * 200_000)
    for name, message in (
        (tmp_path / "pipe", "a pipe or device"),
        ("/dev/zero", "a pipe or device"),
        (tmp_path, "a folder"),
        (tmp_path / "large", "at most 1000000 bytes"),
    ):
        with pytest.raises(InputError, match=message):
            find_palette(name)
