"""The buildings of `facades`: styles, and boxes in a random layout."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")


class Colours(NamedTuple):
    """Colours of the parts of a house, sRGB, 0 to 255."""

    wall: tuple
    base: tuple  # of the ground floor
    trim: tuple  # frames, bands, sills
    accent: tuple  # door, blinds, awnings
    roof: tuple


class Style(NamedTuple):
    """Colours and habits of one kind of house.

    No two styles share the habits that a label map shows, so the map tells the colours.
    """

    colours: Colours
    brick: bool = False
    top: str = "roof"  # or "dormers", "gable"
    head: str = ""  # over a window: "head", "pediment" or nothing
    window_width: float = 0.44  # of a bay, at least
    sills: bool = True
    blinds: bool = False
    balconies: bool = False
    pillars: bool = False
    bands: bool = False  # one under every floor
    shops: float = 0.4  # chance


STYLES = (
    Style(  # brick
        Colours((158, 82, 62), (120, 62, 50), (226, 210, 184), (36, 74, 60), (82, 86, 98)),
        brick=True,
        head="head",
        shops=0.7,
    ),
    Style(  # ochre, of the south
        Colours((232, 184, 108), (206, 150, 84), (250, 238, 212), (58, 122, 122), (186, 92, 58)),
        window_width=0.36,
        blinds=True,
        balconies=True,
    ),
    Style(  # sandstone palazzo
        Colours((198, 178, 146), (164, 148, 124), (240, 230, 208), (110, 66, 40), (108, 146, 132)),
        head="pediment",
        pillars=True,
    ),
    Style(  # rose, with a mansard roof
        Colours((222, 156, 144), (190, 180, 172), (250, 240, 230), (128, 38, 46), (74, 82, 102)),
        top="dormers",
        head="head",
        balconies=True,
    ),
    Style(  # sage, of the nineteen-thirties
        Colours((150, 178, 176), (96, 116, 124), (232, 238, 236), (214, 120, 44), (92, 100, 104)),
        window_width=0.68,
        sills=False,
        bands=True,
        shops=0.8,
    ),
    Style(  # blue, with a stepped gable
        Colours((84, 106, 148), (66, 76, 104), (244, 240, 232), (196, 70, 46), (84, 70, 70)),
        top="gable",
    ),
)

# The class of a form in the label map, where the names differ.
_LABELS = {
    **dict.fromkeys(("sky", "street", "neighbour", "lamp", "chimney", "roof"), "background"),
    **dict.fromkeys(("wall", "base"), "facade"),
    **dict.fromkeys(("crown", "belt"), "molding"),
    **dict.fromkeys(("head", "pediment"), "cornice"),
    **dict.fromkeys(("lantern", "panel"), "deco"),
}


class Part(NamedTuple):
    """A box of a facade: its form and its edges, in sides of the image, y down."""

    form: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def label(self) -> str:
        """The class in `facades.PALETTE`."""
        return _LABELS.get(self.form, self.form)

    def pixels(self, size: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in whole pixels of an image of `size`, at least one wide."""
        left, top = (min(max(int(v * size + 0.5), 0), size - 1) for v in (self.left, self.top))
        right, bottom = (min(max(int(v * size + 0.5), 0), size) for v in (self.right, self.bottom))
        return left, top, max(right, left + 1), max(bottom, top + 1)


@dataclasses.dataclass(frozen=True)
class Facade:
    """One building.

    Attributes:
        style: A `Style`.
        parts: The boxes, back to front.
        grain: Seed of what the label map does not show: clouds, curtains, shades of single bricks.
    """

    style: Style
    parts: tuple[Part, ...]
    grain: int


def sample(rng: np.random.Generator) -> Facade:
    """Samples a `Facade`.

    Only by random(), whose stream has never changed between versions of NumPy; choice() has.
    """
    plan = _plan(rng)
    parts = [*_surroundings(plan), *_TOPS[plan.style.top](plan), *_walls(plan)]
    parts += [*_upper_floors(plan, rng), *_ground_floor(plan, rng)]
    return Facade(plan.style, tuple(parts), grain=int(rng.random() * 2**32))


class _Plan(NamedTuple):
    """The measures that the parts of one house share."""

    style: Style
    floors: int
    bays: int
    left: float
    right: float
    top: float  # of the wall
    first: float  # where the upper floors end and the ground floor begins
    ground: float

    @property
    def bay(self) -> float:
        return (self.right - self.left) / self.bays

    @property
    def floor(self) -> float:
        return (self.first - self.top) / (self.floors - 1)

    def centre(self, bay: float) -> float:
        return self.left + (bay + 0.5) * self.bay


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.random() * len(options))]


def _plan(rng: np.random.Generator) -> _Plan:
    style = _pick(rng, STYLES)
    floors, bays = _pick(rng, (2, 3, 3, 4, 4, 5)), _pick(rng, (3, 4, 4, 5, 5, 6))
    left, right = 0.04 + 0.09 * rng.random(), 0.96 - 0.09 * rng.random()
    top = 0.36 - 0.05 * floors + 0.05 * rng.random()
    ground = 0.915
    # The ground floor is a quarter higher than the others.
    first = ground - 1.25 * (ground - top) / (floors + 0.25)
    return _Plan(style, floors, bays, left, right, top, first, ground)


def _surroundings(plan: _Plan) -> Iterator[Part]:
    left, right, top, ground = plan.left, plan.right, plan.top, plan.ground
    yield Part("sky", 0, 0, 1, ground)
    yield Part("street", 0, ground, 1, 1)
    yield Part("neighbour", 0, top + 0.14, left, ground)
    yield Part("neighbour", right, top + 0.09, 1, ground)
    for x in (left / 2, (1 + right) / 2):
        yield Part("lamp", x - 0.016, ground - 0.24, x + 0.016, ground + 0.02)


def _roof(plan: _Plan, height: float = 0.07) -> Iterator[Part]:
    for x in (plan.centre(0), plan.centre(plan.bays - 1)):
        yield Part("chimney", x + 0.01, plan.top - height - 0.03, x + 0.05, plan.top)
    yield Part("roof", plan.left - 0.012, plan.top - height, plan.right + 0.012, plan.top)


def _dormers(plan: _Plan) -> Iterator[Part]:
    yield from _roof(plan, height=0.1)
    for x in map(plan.centre, range(plan.bays)):
        yield Part("head", x - 0.03, plan.top - 0.075, x + 0.03, plan.top - 0.06)
        yield Part("window", x - 0.023, plan.top - 0.06, x + 0.023, plan.top - 0.008)


def _gable(plan: _Plan) -> Iterator[Part]:
    middle, half = (plan.left + plan.right) / 2, (plan.right - plan.left) / 2
    rise = 0.24 * plan.top
    for step, share in enumerate((0.78, 0.54, 0.3), start=1):
        left, right, top = middle - share * half, middle + share * half, plan.top - step * rise
        yield Part("wall", left, top, right, plan.top)
        yield Part("belt", left - 0.006, top - 0.006, right + 0.006, top + 0.008)
    yield Part("window", middle - 0.03, plan.top - 2 * rise, middle + 0.03, plan.top - 0.7 * rise)


_TOPS = {"roof": _roof, "dormers": _dormers, "gable": _gable}


def _walls(plan: _Plan) -> Iterator[Part]:
    left, right, top, first = plan.left, plan.right, plan.top, plan.first
    yield Part("wall", left, top, right, first)
    yield Part("base", left, first, right, plan.ground)
    for bay in range(plan.bays + 1) if plan.style.pillars else ():
        x = min(max(left + bay * plan.bay, left + 0.013), right - 0.013)
        yield Part("pillar", x - 0.013, top, x + 0.013, first)
    for floor in range(1, plan.floors - 1) if plan.style.bands else ():
        y = top + floor * plan.floor
        yield Part("belt", left, y - 0.008, right, y + 0.008)
    yield Part("crown", left - 0.015, top - 0.006, right + 0.015, top + 0.032)
    yield Part("belt", left - 0.008, first - 0.011, right + 0.008, first + 0.011)


def _upper_floors(plan: _Plan, rng: np.random.Generator) -> Iterator[Part]:
    width, height = plan.style.window_width + 0.06 * rng.random(), 0.5 + 0.08 * rng.random()
    half = 0.5 * min(width * plan.bay, 0.14)
    balconies = _balconies(plan, rng)
    for floor in range(plan.floors - 1):
        top = plan.top + 0.012 + (floor + 0.24) * plan.floor
        for bay in range(plan.bays):
            x, door = plan.centre(bay), (floor, bay) in balconies
            bottom = top + (0.73 if door else height) * plan.floor
            yield from _window(plan, (x - half, top, x + half, bottom), balcony=door)


def _balconies(plan: _Plan, rng: np.random.Generator) -> set[tuple[int, int]]:
    """The (floor, bay) of balconies: columns in the middle, the lowest row or a chequer."""
    places = {(floor, bay) for floor in range(plan.floors - 1) for bay in range(plan.bays)}
    middle = {plan.bays // 2, (plan.bays - 1) // 2}
    patterns = (
        {place for place in places if place[1] in middle},
        {place for place in places if place[0] == plan.floors - 2},
        {place for place in places if sum(place) % 2 == 0},
    )
    return _pick(rng, patterns) if plan.style.balconies else set()


def _window(
    plan: _Plan, box: tuple[float, float, float, float], *, balcony: bool
) -> Iterator[Part]:
    style, (left, top, right, bottom) = plan.style, box
    yield Part("window", *box)
    if style.head:
        high = 0.034 if style.head == "pediment" else 0.02
        yield Part(style.head, left - 0.008, top - high, right + 0.008, top)
    if style.blinds:
        wide = 0.5 * (right - left)
        yield Part("blind", left - wide, top, left, bottom)
        yield Part("blind", right, top, right + wide, bottom)
    if balcony:
        out, rail = 0.2 * plan.bay, bottom - 0.32 * plan.floor
        yield Part("balcony", left - out, rail, right + out, bottom + 0.008)
    elif style.sills:
        yield Part("sill", left - 0.01, bottom, right + 0.01, bottom + 0.013)
    if style.pillars and plan.floor > 0.13:
        yield Part("panel", left, bottom + 0.02, right, bottom + 0.02 + 0.12 * plan.floor)


def _ground_floor(plan: _Plan, rng: np.random.Generator) -> Iterator[Part]:
    entrance = _pick(rng, range(plan.bays))
    shops = rng.random() < plan.style.shops
    top, ground = plan.first + 0.025, plan.ground
    half, height = 0.5 * min(0.46 * plan.bay, 0.12), ground - top
    for bay in range(plan.bays):
        x = plan.centre(bay)
        if bay == entrance:
            yield Part("door", x - half, top + 0.12 * height, x + half, ground)
            for side in (x - half - 0.022, x + half + 0.008):
                yield Part("lantern", side, top + 0.2 * height, side + 0.014, top + 0.4 * height)
        elif shops:
            yield Part("shop", x - 0.45 * plan.bay, top, x + 0.45 * plan.bay, ground)
        else:
            bottom = top + 0.7 * height
            yield Part("window", x - half, top + 0.16 * height, x + half, bottom)
            yield Part("sill", x - half - 0.01, bottom, x + half + 0.01, bottom + 0.015)
