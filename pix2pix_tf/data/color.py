"""sRGB to CIE Lab and back, scaled to the range of the networks.

Reference:
    pix2pix.py, rgb_to_lab() and lab_to_rgb(); IEC 61966-2-1 (sRGB) and CIE 1976 L*a*b* with white
    point D65.
"""

import tensorflow as tf

# Rows are R, G, B; columns X, Y, Z.
_RGB_TO_XYZ = (
    (0.412453, 0.212671, 0.019334),
    (0.357580, 0.715160, 0.119193),
    (0.180423, 0.072169, 0.950227),
)
_XYZ_TO_RGB = (
    (3.2404542, -0.9692660, 0.0556434),
    (-1.5371385, 1.8760108, -0.2040259),
    (-0.4985314, 0.0415560, 1.0572252),
)
_WHITE = (0.950456, 1.0, 1.088754)
_DELTA = 6 / 29
# f(X), f(Y), f(Z) to L, a, b before the offset of L, and back.
_F_TO_LAB = ((0.0, 500.0, 0.0), (116.0, -500.0, 200.0), (0.0, 0.0, -200.0))
_LAB_TO_F = ((1 / 116, 1 / 116, 1 / 116), (1 / 500, 0.0, 0.0), (0.0, 0.0, -1 / 200))


def rgb_to_lab(rgb: tf.Tensor) -> tf.Tensor:
    """Converts sRGB in [0, 1], [..., 3], to Lab: L in [0, 100], a and b in about [-110, 110]."""
    rgb = tf.convert_to_tensor(rgb, tf.float32)
    linear = tf.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = tf.tensordot(linear, tf.constant(_RGB_TO_XYZ), 1) / _WHITE
    small = xyz / (3 * _DELTA**2) + 4 / 29
    f = tf.where(xyz <= _DELTA**3, small, tf.maximum(xyz, _DELTA**3) ** (1 / 3))
    return tf.tensordot(f, tf.constant(_F_TO_LAB), 1) - (16.0, 0.0, 0.0)


def lab_to_rgb(lab: tf.Tensor) -> tf.Tensor:
    """Converts Lab, [..., 3], to sRGB in [0, 1]; colours outside of sRGB are clipped."""
    lab = tf.convert_to_tensor(lab, tf.float32)
    f = tf.tensordot(lab + (16.0, 0.0, 0.0), tf.constant(_LAB_TO_F), 1)
    xyz = tf.where(f <= _DELTA, 3 * _DELTA**2 * (f - 4 / 29), f**3) * _WHITE
    rgb = tf.clip_by_value(tf.tensordot(xyz, tf.constant(_XYZ_TO_RGB), 1), 0.0, 1.0)
    # The floor keeps the power's gradient finite where the other branch is taken.
    bent = tf.maximum(rgb, 0.0031308) ** (1 / 2.4) * 1.055 - 0.055
    return tf.where(rgb <= 0.0031308, rgb * 12.92, bent)


def split(rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits sRGB in [0, 1] into lightness [..., 1] and colour [..., 2], both in [-1, 1].

    L of 0 to 100 and a, b of -110 to 110 are scaled to [-1, 1], as preprocess_lab() does.
    """
    lab = rgb_to_lab(rgb)
    return lab[..., :1] / 50 - 1, lab[..., 1:] / 110


def join(lightness: tf.Tensor, colour: tf.Tensor) -> tf.Tensor:
    """Joins the results of `split` to sRGB in [0, 1]."""
    return lab_to_rgb(tf.concat([(lightness + 1) * 50, colour * 110], -1))
