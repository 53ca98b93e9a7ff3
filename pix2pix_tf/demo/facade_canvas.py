"""The canvas of facades: boxes, light, shadow and fine noise.

Only sums, products, quotients and comparisons, never a sine or a mean, so that every platform and
every numpy gives the same bytes. A box is (left, top, right, bottom) in canvas pixels.
"""

import numpy as np
import numpy.typing as npt

from pix2pix_tf.demo import facade_plan

# (left, top, right, bottom) in canvas pixels.
Box = tuple[int, int, int, int]

_LAMP = np.array((255, 196, 112.0))  # warm light, sRGB
_NIGHT = np.array((0.3, 0.32, 0.48))  # what moonlight leaves of red, green and blue
_TABLE = 128  # side of the table of noise


class Canvas:
    """An image of at least twice the requested resolution, and its light.

    Attributes:
        style: `facade_plan.Style`.
        colours: Those of the style.
        night: Whether it is.
        side: In canvas pixels.
        scale: Canvas pixels to a pixel of the finished image.
        unit: A 512th of the side, in canvas pixels: half a pixel of the usual 256.
        chance: numpy Generator for what the painters leave to chance.
        noise: float64 [128, 128] in [0, 1).
    """

    def __init__(self, style: facade_plan.Style, grain: int, *, size: int, night: bool) -> None:
        self.style, self.colours, self.night = style, style.colours, night
        self.scale = max(2, -(-512 // size))
        self.side = size * self.scale
        self.unit = self.side / 512
        self.pixels = np.zeros((self.side, self.side, 3))
        # The table is drawn whole and first: day and night and all sizes see the same house.
        self.chance = np.random.Generator(np.random.PCG64(grain))
        self.noise = self.chance.random((_TABLE, _TABLE))
        down = np.arange(self.side)[:, None, None] / self.side
        self.light = _NIGHT * (0.8 + 0.5 * down) if night else (1.03 - 0.1 * down) * np.ones(3)

    def px(self, units: float) -> int:
        """Units in whole canvas pixels, at least one."""
        return max(1, int(units * self.unit + 0.5))

    def fill(
        self, box: Box, colour: npt.ArrayLike, *, mask: np.ndarray | None = None, glow: bool = False
    ) -> None:
        """Paints a box.

        Args:
            box: Nothing is painted where it is empty.
            colour: sRGB, 0 to 255, [3] or [h, w, 3] or what broadcasts to it.
            mask: Where to paint, bool [h, w] or what broadcasts to it.
            glow: The colour is seen as it is, by whatever light.
        """
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            return
        colour = np.asarray(colour) if glow else colour * self.light[top:bottom]
        area = self.pixels[top:bottom, left:right]
        area[:] = colour if mask is None else np.where(mask[..., None], colour, area)

    def shade(self, box: Box, factor: float | np.ndarray) -> None:
        """Multiplies what is painted there; the box may reach over the edge."""
        left, top, right, bottom = (min(max(edge, 0), self.side) for edge in box)
        self.pixels[top:bottom, left:right] *= factor

    def shadow(self, box: Box, units: float, *, factor: float | np.ndarray = 0.7) -> None:
        """Throws a shadow so far below a box, softer downwards."""
        left, _, right, bottom = box
        for reach in (units, 0.5 * units):
            self.shade((left, bottom, right, bottom + self.px(reach)), factor)

    def cloud(self, centre: tuple[float, float], radii: tuple[float, float]) -> None:
        """Mixes white in around a point, up to the radii across and down."""
        area, near = self._around(centre, radii)
        area += 0.85 * near * (252 - area)

    def halo(self, centre: tuple[float, float], *, units: float, strength: float) -> None:
        """Adds lamp light around a point, by night."""
        if self.night:
            area, near = self._around(centre, (units * self.unit, units * self.unit))
            area += strength * near * _LAMP

    def _around(
        self, centre: tuple[float, float], radii: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pixels of an ellipse's box and their weights, 1 at its centre and 0 at its edge."""
        (x, y), (wide, high) = centre, radii
        left, top = max(int(x - wide), 0), max(int(y - high), 0)
        right, bottom = min(int(x + wide) + 1, self.side), min(int(y + high) + 1, self.side)
        across, down = grid((left, top, right, bottom))
        near = np.maximum(1 - ((across - x) / wide) ** 2 - ((down - y) / high) ** 2, 0)
        return self.pixels[top:bottom, left:right], (near * near)[..., None]

    def courses(self, box: Box, *, width: int, height: int) -> np.ndarray:
        """Brightness, about 1, of rows of stones with dark joints.

        Args:
            box: What they cover.
            width: Of a stone, in units.
            height: Of a row, in units; every other row is shifted by half a stone.

        Returns:
            float64 [h, w, 1].
        """
        across, down = ((edge / self.unit).astype(int) for edge in grid(box))
        row = down // height
        along = across + row % 2 * (width // 2)
        stone = self.noise[row % _TABLE, along // width % _TABLE]
        joint = (down % height == 0) | (along % width == 0)
        return np.where(joint, 0.84, 0.96 + 0.1 * stone)[..., None]

    def speckle(self, box: Box, units: float) -> np.ndarray:
        """Noise in [0, 1), [h, w], in squares of that many units."""
        across, down = (edge // self.px(units) % _TABLE for edge in grid(box))
        return self.noise[down, across]

    def finish(self) -> np.ndarray:
        """Averages blocks of pixels, in integers: uint8 [size, size, 3]."""
        fine, n = np.rint(self.pixels.clip(0, 255)).astype(np.uint32), self.scale
        total = sum(fine[y::n, x::n] for y in range(n) for x in range(n))
        return ((total + n * n // 2) // (n * n)).astype(np.uint8)


def subbox(box: Box, fractions: tuple[float, ...]) -> Box:
    """The box inside a box whose (left, top, right, bottom) are fractions of it."""
    left, top, right, bottom = fractions
    x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
    edges = x + left * w, y + top * h, x + right * w, y + bottom * h
    a, b, c, d = (int(max(edge, 0) + 0.5) for edge in edges)
    return a, b, c, d


def inset(box: Box, pixels: int) -> Box:
    """A box that much smaller on every side."""
    return box[0] + pixels, box[1] + pixels, box[2] - pixels, box[3] - pixels


def grid(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels of a box: across [1, w] and down [h, 1]."""
    return np.arange(box[0], box[2])[None, :], np.arange(box[1], box[3])[:, None]


def fade(box: Box, top: npt.ArrayLike, bottom: npt.ArrayLike) -> np.ndarray:
    """Values [h, 1, 1 or 3] from one at the top of a box to another at its bottom."""
    high = max(box[3] - box[1], 1)
    along = (np.arange(box[3] - box[1])[:, None, None] + 0.5) / high
    return np.asarray(top) * (1 - along) + np.asarray(bottom) * along
