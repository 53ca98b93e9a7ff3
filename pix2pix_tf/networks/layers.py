"""Padding, initialisation and dropout as pix2pix and CycleGAN define them.

Layers are named after TensorFlow 1's (`conv2d`, `conv2d_transpose`, `separable_conv2d`,
`batch_normalization`), so the path of every weight is its name in a checkpoint of the reference.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.networks.cpu import Conv

Shape = Sequence[int | None]

# Isola et al. 2017, section 6.2: "weights were initialized from a Gaussian distribution with mean
# 0 and standard deviation 0.02"; normalisation scales from N(1, 0.02) in the authors' code.
INIT_STDDEV = 0.02
INIT_TYPES = ("normal", "xavier", "kaiming", "orthogonal")
# pix2pix.py, lrelu(x, 0.2); Isola et al. 2017, section 6.1.1.
LEAKY_SLOPE = 0.2
# pix2pix.py, create_generator(): dropout=0.5; PyTorch CycleGAN: nn.Dropout(0.5).
DROPOUT_RATE = 0.5
# The dropout layers of a network offset an image's seed by less than this.
SEED_OFFSETS = 16


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU with slope 0.2 for negative values."""
    return tf.nn.leaky_relu(x, alpha=LEAKY_SLOPE)


class Initialization:
    """The initial weights of one network.

    Keras counts the connections of a kernel as PyTorch does, also of a transposed convolution,
    whose kernel has the shape [side, side, outputs, inputs].

    Args:
        init_type: "normal" for kernels from N(0, init_gain), "xavier" from N(0, init_gain
            sqrt(2 / (inputs + outputs))), "kaiming" from N(0, sqrt(2 / inputs)) where both count
            connections, or "orthogonal" for orthogonal rows of length init_gain.
        init_gain: Standard deviation or factor, see `init_type`.
        seed: Equal seeds give equal weights; None draws from Keras' global seed.

    Raises:
        InputError: If `init_type` is unknown.

    Reference:
        Glorot and Bengio 2010; He et al. 2015 (arXiv:1502.01852); Saxe et al. 2014
        (arXiv:1312.6120); junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py,
        init_weights().
    """

    def __init__(self, *, init_type: str, init_gain: float, seed: int | None) -> None:
        check_choice("init_type", init_type, INIT_TYPES)
        self._type, self._gain = init_type, init_gain
        self._seed, self._count = seed, 0

    def kernel(self) -> keras.initializers.Initializer:
        """The initializer of the next kernel."""
        gain, seed = self._gain, self._next_seed()
        if self._type == "normal":
            return keras.initializers.RandomNormal(0.0, gain, seed)
        if self._type == "orthogonal":
            return keras.initializers.Orthogonal(gain, seed)
        # The deviation is sqrt(scale / n), n connections on one side or the mean of both.
        scale, mode = (gain**2, "fan_avg") if self._type == "xavier" else (2.0, "fan_in")
        return keras.initializers.VarianceScaling(scale, mode, "untruncated_normal", seed)

    def gamma(self) -> keras.initializers.Initializer:
        """The initializer of the next normalisation scale: N(1, init_gain)."""
        return keras.initializers.RandomNormal(1.0, self._gain, self._next_seed())

    def _next_seed(self) -> int | None:
        """A seed for each weight: an initializer draws the same numbers every time."""
        self._count += 1
        if self._seed is None:
            return None
        return int(np.random.SeedSequence([self._seed, self._count]).generate_state(1)[0])


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raises an `InputError` if an argument is not one of its choices."""
    if value not in choices:
        raise InputError(f"Expected {name} to be one of {', '.join(choices)}. Received: {value!r}")


@keras.saving.register_keras_serializable(package="pix2pix_tf", name="ResizeConv")
class UpsampleSeparableConv(keras.layers.SeparableConv2D):
    """Nearest-neighbour resize to twice the size, then a separable convolution.

    Reference:
        pix2pix.py, gen_deconv() with --separable_conv.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        n, h, w, _ = tf.unstack(tf.shape(x))
        doubled = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        # For images of unknown size tf.repeat loses the channels, which LiteRT needs.
        return super().call(tf.reshape(doubled, tf.stack([n, 2 * h, 2 * w, x.shape[3]])))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (input_shape[0], *_doubled(input_shape[1:3]), self.filters)


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class PaddedConv(Conv):
    """Convolution after the same explicit padding on every side.

    Sides become (side + 2 border - kernel) // strides + 1.

    Keras' "same" would pad 1 and 2 where a 4x4 kernel has stride 1 (a 32x32 map instead of 30x30)
    and 0 and 1 where a 3x3 kernel has stride 2 (all features shifted by one pixel).

    Args:
        filters: Number of output channels.
        kernel_size: Side of the kernel in pixels.
        border: Pixels added on every side.
        reflect: Reflect the image at its border instead of adding zeros.
        kwargs: Other arguments of `keras.layers.Conv2D`.

    Reference:
        pix2pix.py, discrim_conv(); Zhu et al. 2017, section 7.2: reflection padding.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 4,
        *,
        border: int = 1,
        reflect: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.border, self.reflect = border, reflect

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if self.border:
            side = [self.border, self.border]
            mode = "REFLECT" if self.reflect else "CONSTANT"
            x = tf.pad(x, [[0, 0], side, side, [0, 0]], mode)
        return super().call(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        n, *sides, channels = input_shape
        padded = [side and side + 2 * self.border for side in sides]
        return super().compute_output_shape((n, *padded, channels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "border": self.border, "reflect": self.reflect}


@keras.saving.register_keras_serializable(package="pix2pix_tf", name="DoublingConv")
class UpConv3x3(keras.layers.Conv2DTranspose):
    """3x3 transposed convolution with stride 2: exactly twice the size.

    The adjoint of a convolution that pads one pixel on every side, as PyTorch's padding=1,
    output_padding=1; Keras' "same" would crop the other end and shift the image by one pixel.

    Args:
        filters: Number of output channels.
        kwargs: Other arguments of `keras.layers.Conv2DTranspose`.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593), section 7.2: u128 and u64.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, **{"kernel_size": 3, "strides": 2, **kwargs})

    def call(self, x: tf.Tensor) -> tf.Tensor:
        n, h, w, _ = tf.unstack(tf.shape(x))
        # No explicit padding: converters to LiteRT and ONNX reject or, worse, ignore it here.
        y = tf.nn.conv2d_transpose(
            x,
            tf.convert_to_tensor(self.kernel),
            tf.stack([n, 2 * h + 1, 2 * w + 1, self.filters]),
            strides=2,
            padding="VALID",
        )
        y = tf.slice(y, [0, 1, 1, 0], [-1] * 4)  # Its gradient is faster than that of y[:, 1:, 1:].
        y.set_shape(self.compute_output_shape(x.shape))
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias)) if self.use_bias else y

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (input_shape[0], *_doubled(input_shape[1:3]), self.filters)


def _doubled(sides: Shape) -> list[int | None]:
    return [side and 2 * side for side in sides]


class Composite(keras.layers.Layer):
    """A layer of other layers, which are the constructor's arguments."""

    # Names of those arguments, which are attributes as well.
    PARTS: ClassVar[Sequence[str]] = ()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # Without the shapes that layers were built for: their owner builds them, under its name.
        for name in self.PARTS:
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
            if config[name] is not None:
                config[name].pop("build_config", None)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Composite":
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in cls.PARTS}
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Level(Composite):
    """A convolution and, where the architecture has one, a normalisation.

    The name of the class is part of the paths in .keras files.

    Args:
        convolution: The convolution layer.
        norm: The normalisation layer, or None.
        kwargs: Arguments of `keras.layers.Layer`.
    """

    PARTS = ("convolution", "norm")

    def __init__(
        self,
        convolution: keras.layers.Layer,
        norm: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.convolution, self.norm = convolution, norm

    @property
    def filters(self) -> int:
        """Number of channels of the result."""
        return self.convolution.filters

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        if self.norm:
            self.norm.build((None, None, None, self.filters))
            # A bias in front of a normalisation has no effect, so its gradient is 0. Rounding
            # leaves noise that Adam would amplify to full-size steps, different ones on any
            # number of devices.
            if self.convolution.use_bias:
                self.convolution.bias.has_zero_gradient = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        # Convolutions of `cpu` compute otherwise in training.
        x = self.convolution(x, training=training)
        return self.norm(x, training=training) if self.norm else x

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return self.convolution.compute_output_shape(input_shape)


class Network(keras.Model):
    """A generator or a discriminator: checks images before a layer fails on them.

    Subclasses set `multiple`, `minimum` and `SETTINGS`.
    """

    # Names of the constructor's arguments but for Keras' own, which are attributes as well.
    SETTINGS: ClassVar[Sequence[str]] = ()
    # The sides of an image are multiples of this number of pixels, and at least ...
    multiple: int = 1
    minimum: int = 1
    # Channels of its images; None before it is built.
    input_channels: Any = None

    def build(self, input_shape: Shape) -> None:
        self.input_channels = input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.SETTINGS}}

    def __call__(self, images: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
        if hasattr(images, "shape"):
            self._check(keras.backend.standardize_dtype(images.dtype), tuple(images.shape))
        return super().__call__(images, *args, **kwargs)

    def _check(self, dtype: str, shape: tuple[int | None, ...]) -> None:
        what = f"{type(self).__name__} {self.name!r}"
        if "float" not in dtype:
            raise InputError(
                f"Expected float images in [-1, 1] for {what}. Received: {dtype} (uint8 images / "
                "127.5 - 1 are)"
            )
        if len(shape) != 4:
            raise InputError(f"Expected images [n, h, w, c] for {what}. Received: {list(shape)}")
        if self.input_channels not in (None, shape[3]):
            raise InputError(
                f"Expected {self.input_channels} channels for {what}, as it was built. "
                f"Received: {shape[3]}"
            )
        for side in shape[1:3]:
            if side is not None and (side % self.multiple or side < self.minimum):
                fitting = f"multiples of {self.multiple}, " if self.multiple > 1 else ""
                raise InputError(
                    f"Expected images for {what} whose sides are {fitting}at least {self.minimum} "
                    f"pixels. Received: {shape[1]}x{shape[2]}; resize or pad them"
                )


def dropout_mask(x: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Which elements dropout keeps, one mask per image.

    Stateless: the same seed gives the same mask, so a step can be computed again, and an image's
    mask does not depend on the batch that it is in.

    Args:
        x: [n, h, w, c].
        seeds: int64 [n, 2], one seed per image.

    Returns:
        bool like `x`.
    """
    shape = tf.shape(x)[1:]

    def keep(seed: tf.Tensor) -> tf.Tensor:
        # As `tf.random.stateless_uniform`, which takes 50 operations for it.
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
        return _uniform(shape, key, counter) >= DROPOUT_RATE

    if seeds.shape[0] is None:
        mask = tf.map_fn(keep, seeds, fn_output_signature=tf.bool)
    else:  # A loop would be traced, and differentiated, for every place with dropout.
        mask = tf.stack([keep(seed) for seed in tf.unstack(seeds)])
    mask.set_shape(x.shape)
    return mask


def dropout_window(
    seed: tf.Tensor, shape: tuple[int, int, int], rows: slice, columns: slice
) -> tf.Tensor:
    """The part of an image's `dropout_mask` in a window, without the rest of the mask.

    Philox makes four numbers from one value of its counter, so the numbers from any element on
    follow from the counter there.

    Args:
        seed: int64 [2].
        shape: Shape (h, w, c) of the whole mask.
        rows: Rows of the window.
        columns: Columns of the window.

    Returns:
        bool [1, rows, columns, c].
    """
    _, width, channels = shape
    key, counter = map(np.asarray, tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed))
    count = (columns.stop - columns.start) * channels
    parts = []
    for row in range(rows.start, rows.stop):
        first, rest = divmod((row * width + columns.start) * channels, 4)
        numbers = _uniform([count + rest], key, _advanced(counter, first))
        parts.append(numbers[rest:] >= DROPOUT_RATE)
    return tf.reshape(tf.stack(parts), [1, len(parts), -1, channels])


def _uniform(shape: Any, key: Any, counter: Any) -> tf.Tensor:
    """Philox's numbers in [0, 1) from a counter on, float32 of `shape`."""
    philox = tf.random.Algorithm.PHILOX.value
    return tf.raw_ops.StatelessRandomUniformV2(shape=shape, key=key, counter=counter, alg=philox)


def _advanced(counter: np.ndarray, amount: int) -> np.ndarray:
    """A 128-bit counter, uint64 [2], the lower half first, plus `amount`."""
    low, high = (int(half) for half in counter)
    carry, low = divmod(low + amount, 2**64)
    return np.array([low, (high + carry) % 2**64], np.uint64)


def apply_dropout(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Zeroes the elements of `x` that the mask does not keep and scales the rest."""
    return tf.where(mask, x / (1.0 - DROPOUT_RATE), tf.zeros_like(x))


def offset_seeds(seeds: tf.Tensor, amount: int) -> tf.Tensor:
    """Offsets seeds, int64 [n, 2], so that each dropout layer draws its own mask.

    A network offsets by less than SEED_OFFSETS; a caller that uses a network more than once for
    an image offsets by multiples of that.
    """
    return seeds + tf.constant([amount, 0], tf.int64)


def dropout_seeds(seed: int, first: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """Seeds for the dropout of `count` consecutive images, of which `first` is the first number.

    Returns:
        int64 [count, 2].
    """
    numbers = first + tf.range(count, dtype=tf.int64)
    return tf.stack([tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64)), numbers], 1)


def step_seeds(seed: int, step: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Seeds for the dropout of this replica's share of the batch of one training step.

    Args:
        seed: The run's seed.
        step: Number of updates already made, an integer tensor.
        images: The share, [n, ...].

    Returns:
        int64 [n, 2]: (seed, number of the image since the start of training).
    """
    context, count = tf.distribute.get_replica_context(), images.shape[0]
    count = tf.shape(images, tf.int64)[0] if count is None else count
    share = tf.cast(context.replica_id_in_sync_group, tf.int64) * count
    first = tf.cast(step, tf.int64) * count * context.num_replicas_in_sync + share
    return dropout_seeds(seed, first, count)
