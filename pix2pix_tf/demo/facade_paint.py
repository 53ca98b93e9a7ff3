"""Paints the images of `facades`: brick, glass, shadows, and light by night."""

import itertools

import numpy as np

from pix2pix_tf.demo.facade_canvas import Box, Canvas, fade, grid, inset, subbox
from pix2pix_tf.demo.facade_plan import Facade

_IRON = (40, 42, 48)
# Form: how far down it its light is, how far that reaches (units), how strong it is.
_HALOS = {"lantern": (0.5, 48, 0.4), "lamp": (0.09, 80, 0.5), "shop": (0.9, 90, 0.2)}


def paint(facade: Facade, size: int, *, night: bool) -> np.ndarray:
    """Paints a facade.

    Args:
        facade: `facade_plan.Facade`.
        size: Side in pixels.
        night: By night rather than by day.

    Returns:
        uint8 [size, size, 3].
    """
    canvas = Canvas(facade.style, facade.grain, size=size, night=night)
    scale = canvas.scale
    pixels = (part.pixels(size) for part in facade.parts)
    boxes: list[Box] = [(scale * a, scale * b, scale * c, scale * d) for a, b, c, d in pixels]
    forms = [part.form for part in facade.parts]
    for form, box in zip(forms, boxes, strict=True):
        _PAINTERS[form](canvas, box)
    for form, (left, top, right, bottom) in zip(forms, boxes, strict=True):
        if form in _HALOS:
            down, units, strength = _HALOS[form]
            centre = (left + right) / 2, top + down * (bottom - top)
            canvas.halo(centre, units=units, strength=strength)
    return canvas.finish()


def _sky(canvas: Canvas, box: Box) -> None:
    if canvas.night:
        canvas.fill(box, fade(box, (9, 13, 38), (52, 54, 104)), glow=True)
        _moon_and_stars(canvas)
        return
    canvas.fill(box, fade(box, (92, 154, 220), (226, 236, 244)), glow=True)
    for x, y, size in canvas.noise[:5, :3] * canvas.side:
        radii = 0.1 * canvas.side + 0.1 * size, 0.022 * canvas.side + 0.018 * size
        canvas.cloud((x, 0.25 * y), radii)


def _moon_and_stars(canvas: Canvas) -> None:
    for x, y in (canvas.noise[:40, :2] * (0.98 * canvas.side, 0.4 * canvas.side)).astype(int):
        canvas.fill((x, y, x + canvas.px(2), y + canvas.px(2)), (214, 218, 236), glow=True)
    r = canvas.px(13)
    x, y = int(0.93 * canvas.side), int(0.06 * canvas.side)
    box = x - r, y - r, x + r, y + r
    across, down = grid(box)
    disc = (across - x) ** 2 + (down - y) ** 2 < r * r
    bite = (across - x + 0.5 * r) ** 2 + (down - y + 0.2 * r) ** 2 < 0.8 * r * r
    canvas.fill(box, (248, 242, 214), mask=disc & ~bite, glow=True)


def _street(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, (96, 98, 104))
    pavement, kerb = subbox(box, (0, 0, 1, 0.45)), subbox(box, (0, 0.45, 1, 0.55))
    canvas.fill(pavement, np.array((184, 180, 172)) * canvas.courses(pavement, width=24, height=9))
    canvas.fill(kerb, (206, 204, 198))
    canvas.shadow(kerb, 5)
    y = subbox(box, (0, 0.8, 1, 1))[1]
    for x in range(canvas.px(16), canvas.side - canvas.px(30), canvas.px(64)):
        canvas.fill((x, y, x + canvas.px(30), y + canvas.px(3)), (214, 212, 204))


def _neighbour(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, np.array((176, 172, 178)) * canvas.courses(box, width=48, height=22))
    canvas.fill((*box[:3], box[1] + canvas.px(6)), (118, 108, 112))


def _chimney(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, np.array((150, 84, 66)) * canvas.courses(box, width=10, height=5))
    canvas.fill((*box[:3], box[1] + canvas.px(5)), (96, 70, 62))


def _roof(canvas: Canvas, box: Box) -> None:
    across, down = grid(box)
    slope = 0.35 * (box[3] - down)
    inside = (across >= box[0] + slope) & (across < box[2] - slope)
    tiles = canvas.courses(box, width=8, height=7) * fade(box, 1.12, 0.86)
    canvas.fill(box, canvas.colours.roof * tiles, mask=inside)


def _wall(canvas: Canvas, box: Box) -> None:
    if canvas.style.brick:
        stones = canvas.courses(box, width=14, height=6)
    else:  # plaster
        stones = 0.985 + 0.03 * canvas.speckle(box, 3)[..., None]
    canvas.fill(box, canvas.colours.wall * _tint(canvas) * stones)
    canvas.shade((*box[:2], box[0] + canvas.px(3), box[3]), 1.08)
    canvas.shade((box[2] - canvas.px(5), *box[1:]), 0.85)


def _tint(canvas: Canvas) -> np.ndarray:
    """The difference of this house's wall from the colour of its style."""
    return 0.98 + 0.04 * canvas.noise[0, :3]


def _base(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, canvas.colours.base * _tint(canvas) * canvas.courses(box, width=40, height=16))
    canvas.shade(subbox(box, (0, 0.9, 1, 1)), 0.8)


def _belt(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, fade(box, 1.04, 0.86) * canvas.colours.trim)
    canvas.fill((*box[:3], box[1] + canvas.px(2)), (252, 248, 240))
    canvas.shadow(box, 9)


def _crown(canvas: Canvas, box: Box) -> None:
    _belt(canvas, box)
    _, top, _, bottom = subbox(box, (0, 0.5, 1, 0.85))
    for x in range(box[0] + canvas.px(5), box[2] - canvas.px(8), canvas.px(11)):
        canvas.shade((x, top, x + canvas.px(5), bottom), 0.68)


def _pillar(canvas: Canvas, box: Box) -> None:
    across, _ = grid(box)
    canvas.shade((box[2], box[1], box[2] + canvas.px(5), box[3]), 0.8)
    roundness = 1 - 1.1 * ((across - box[0]) / (box[2] - box[0]) - 0.36) ** 2
    flutes = np.where((across - box[0]) % canvas.px(5) < canvas.px(1), 0.78, 1)
    canvas.fill(box, (roundness * flutes)[..., None] * canvas.colours.trim)
    for end in (subbox(box, (0, 0, 1, 0.07)), subbox(box, (0, 0.95, 1, 1))):
        canvas.fill(end, canvas.colours.trim)
        canvas.shadow(end, 2)


def _window(canvas: Canvas, box: Box) -> None:
    lived_in = canvas.chance.random() < 0.5  # curtains by day, light by night
    canvas.fill(box, canvas.colours.trim)
    glass = inset(box, canvas.px(3))
    _glass(canvas, glass, lit=lived_in)
    if lived_in:
        for left, right in ((0, 0.24), (0.76, 1)):
            _curtain(canvas, subbox(glass, (left, 0, right, 1)))
    middle, third = (glass[0] + glass[2]) // 2, subbox(glass, (0, 0.33, 1, 1))[1]
    canvas.fill((glass[0], third, glass[2], third + canvas.px(2)), canvas.colours.trim)
    canvas.fill((middle - 1, glass[1], middle + canvas.px(1), glass[3]), canvas.colours.trim)
    canvas.shadow((glass[0], 0, glass[2], glass[1]), 5, factor=0.75)


def _curtain(canvas: Canvas, box: Box) -> None:
    cloth = (255, 226, 170) if canvas.night else (236, 222, 196)
    folds = np.where(grid(box)[0] // canvas.px(2) % 2 == 0, 1, 0.86)[..., None]
    canvas.fill(box, folds * cloth, glow=True)


def _glass(canvas: Canvas, box: Box, *, lit: bool) -> None:
    if canvas.night and lit:
        canvas.fill(box, fade(box, (255, 214, 128), (226, 146, 66)), glow=True)
        return
    ends = ((20, 27, 52), (34, 42, 72)) if canvas.night else ((124, 160, 190), (44, 62, 84))
    canvas.fill(box, fade(box, *ends), glow=True)
    across, down = grid(box)
    along = (across - box[0] + (down - box[1]) // 2) / max(box[2] - box[0], 1)
    sheen = (60, 70, 108) if canvas.night else (172, 202, 222)
    canvas.fill(box, sheen, mask=(along > 0.62) & (along < 0.86), glow=True)


def _sill(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, fade(box, 1.05, 0.8) * canvas.colours.trim)
    canvas.shadow(box, 6)


def _pediment(canvas: Canvas, box: Box) -> None:
    across, down = grid(box)
    off = abs(across - (box[0] + box[2]) / 2) / (box[2] - box[0])  # 0 in the middle to 1/2
    below = down - box[1] - 1.4 * off * (box[3] - box[1])  # the slope
    canvas.fill(box, canvas.colours.trim, mask=below >= 0)
    deep = (below >= canvas.px(4)) & (down < box[3] - canvas.px(4))
    canvas.fill(box, np.array(canvas.colours.wall) * 0.86, mask=deep)


def _blind(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, canvas.colours.accent)
    slats = inset(box, canvas.px(2))
    for y in range(slats[1], slats[3], canvas.px(4)):
        canvas.shade((slats[0], y, slats[2], y + canvas.px(2)), 0.72)
    canvas.shade((box[2], box[1] + canvas.px(2), box[2] + canvas.px(3), box[3]), 0.8)


def _balcony(canvas: Canvas, box: Box) -> None:
    rail, slab = subbox(box, (0, 0, 1, 0.1)), subbox(box, (0, 0.82, 1, 1))
    for x in range(box[0], box[2] - canvas.px(2), canvas.px(6)):
        canvas.fill((x, box[1], x + canvas.px(2), slab[1]), _IRON)
    canvas.fill(rail, _IRON)
    canvas.fill(slab, fade(slab, 1.02, 0.75) * canvas.colours.trim)
    canvas.shadow(slab, 12)
    flowers = subbox(box, (0.06, 0.02, 0.94, 0.3))
    bloom = canvas.speckle(flowers, 4)
    canvas.fill(flowers, (72, 124, 58), mask=bloom > 0.35)
    canvas.fill(flowers, (214, 52, 70), mask=bloom > 0.78)


def _door(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, canvas.colours.trim)
    leaf = subbox(box, (0.12, 0.26, 0.88, 0.96))
    _glass(canvas, subbox(box, (0.12, 0.05, 0.88, 0.22)), lit=True)
    canvas.fill(leaf, canvas.colours.accent)
    for left, top in itertools.product((0.1, 0.56), (0.08, 0.54)):
        panel = subbox(leaf, (left, top, left + 0.34, top + 0.36))
        canvas.shade(panel, 0.72)
        canvas.shade(inset(panel, canvas.px(2)), 1.5)
    canvas.fill(subbox(leaf, (0.46, 0.5, 0.54, 0.54)), (226, 190, 96))
    canvas.fill(subbox(box, (0, 0.97, 1, 1)), (150, 146, 140))


def _shop(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, canvas.colours.accent)
    front = subbox(box, (0.05, 0.4, 0.95, 0.86))
    _glass(canvas, front, lit=True)
    _goods(canvas, subbox(front, (0, 0.55, 1, 1)))
    middle = (front[0] + front[2]) // 2
    canvas.fill((middle - 1, front[1], middle + canvas.px(1), front[3]), canvas.colours.trim)
    _sign(canvas, subbox(box, (0.03, 0.03, 0.97, 0.2)))
    _awning(canvas, subbox(box, (0, 0.22, 1, 0.42)))


def _goods(canvas: Canvas, box: Box) -> None:
    across, down = grid(box)
    heights = canvas.noise[0, across // canvas.px(9) % 128] * 0.8 * (box[3] - box[1])
    colour = (150, 92, 52) if canvas.night else (98, 92, 96)
    canvas.fill(box, colour, mask=box[3] - down < heights, glow=True)


def _sign(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, np.array(canvas.colours.accent) * 0.6)
    y, high = (box[1] + box[3]) // 2, canvas.px(3)
    for x in range(box[0] + canvas.px(8), box[2] - canvas.px(10), canvas.px(7)):
        canvas.fill((x, y - high, x + canvas.px(4), y + high), (248, 236, 200))


def _awning(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, np.array(canvas.colours.accent) * 1.15)
    white = (grid(box)[0] - box[0]) // canvas.px(8) % 2 == 0
    canvas.fill(box, (246, 240, 228), mask=white)
    canvas.shadow(box, 10)


def _lamp(canvas: Canvas, box: Box) -> None:
    canvas.fill(subbox(box, (0.4, 0.1, 0.6, 1)), _IRON)
    canvas.fill(subbox(box, (0.25, 0.95, 0.75, 1)), _IRON)
    _lantern(canvas, subbox(box, (0, 0, 1, 0.18)))


def _lantern(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, _IRON)
    light = (255, 230, 160) if canvas.night else (226, 220, 196)
    canvas.fill(subbox(box, (0.2, 0.25, 0.8, 0.8)), light, glow=canvas.night)


def _panel(canvas: Canvas, box: Box) -> None:
    canvas.fill(box, canvas.colours.trim)
    canvas.shade(inset(box, canvas.px(3)), 0.84)
    across, down = grid(box)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    lozenge = abs(across - x) / 2 + abs(down - y) < 0.3 * (box[3] - box[1])
    canvas.fill(box, canvas.colours.trim, mask=lozenge)


_PAINTERS = {"head": _sill} | {
    painter.__name__[1:]: painter
    for painter in (
        *(_sky, _street, _neighbour, _lamp, _chimney, _roof, _wall, _base, _crown, _belt, _pillar),
        *(_window, _pediment, _sill, _blind, _balcony, _panel, _door, _lantern, _shop),
    )
}
