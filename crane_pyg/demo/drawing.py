"""Drawing the things of the toy shop: an outline for each kind, a pattern for each style."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

SIDE = 320
_FINE = 3  # drawn so many times larger, then made smooth
_GRID = 100  # outlines are drawn on a square of so many units

Colour = tuple[int, int, int]


class Style(NamedTuple):
    """How the things of a style look, and the words that tell of it."""

    colour: Colour
    accent: Colour
    paper: Colour
    words: str


STYLES = {
    "marine": Style(
        (43, 76, 140), (250, 250, 250), (219, 229, 240), "anchor stripes canvas sailor"
    ),
    "forest": Style((58, 110, 72), (166, 196, 140), (231, 238, 226), "moss linen oak trail"),
    "desert": Style((205, 150, 88), (240, 214, 168), (247, 238, 224), "sand suede cactus dune"),
    "night": Style((58, 48, 98), (226, 202, 130), (230, 227, 240), "velvet star lace moon"),
    "candy": Style((228, 120, 170), (255, 226, 120), (251, 232, 240), "sugar glitter bubble neon"),
}


class _Pen:
    """Draws in units of the grid."""

    def __init__(self, canvas: Any) -> None:
        from PIL import ImageDraw

        self.unit = canvas.width / _GRID
        self.draw = ImageDraw.Draw(canvas)

    def _scaled(self, points: Iterable[float]) -> list[float]:
        return [value * self.unit for value in points]

    def polygon(self, points: Sequence[tuple[float, float]], fill: Any) -> None:
        self.draw.polygon(self._scaled(v for point in points for v in point), fill=fill)

    def ellipse(self, left: float, top: float, right: float, bottom: float, fill: Any) -> None:
        self.draw.ellipse(self._scaled((left, top, right, bottom)), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Any) -> None:
        self.draw.rectangle(self._scaled((left, top, right, bottom)), fill=fill)

    def rounded(
        self, left: float, top: float, right: float, bottom: float, fill: Any, radius: float = 4
    ) -> None:
        box = self._scaled((left, top, right, bottom))
        self.draw.rounded_rectangle(box, radius * self.unit, fill=fill)

    def ring(self, box: tuple[float, ...], start: float, end: float, width: float) -> None:
        self.draw.arc(self._scaled(box), start, end, fill=255, width=round(width * self.unit))


def draw_thing(kind: str, style: str, where: tuple[int, int], seed: int) -> Any:
    """Returns a picture of Pillow's, :data:`SIDE` pixels wide and high.

    Args:
        kind: what it is, such as ``'mug'``.
        style: a key of :data:`STYLES`.
        where: where the pattern begins, each below 24.
        seed: of what varies from thing to thing.

    Raises:
        ValueError: if Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ValueError(
            "Pictures need Pillow: pip install 'crane-pyg[prepare]' (got no PIL)"
        ) from error
    look, random_ = STYLES[style], random.Random(seed)
    lighter = _mixed(look.colour, (255, 255, 255), random_.random() * 0.15)
    look = look._replace(colour=lighter)
    size = (SIDE * _FINE, SIDE * _FINE)
    canvas = Image.new("RGB", size, look.paper)
    shadow = _Pen(canvas)
    shadow.ellipse(20, 86, 80, 93, _mixed(look.paper, (60, 50, 60), 0.12))
    fabric = Image.new("RGB", size, look.colour)
    _PATTERNS[style](_Pen(fabric), look, where, random_)
    mask = Image.new("L", size, 0)
    _OUTLINES[kind](_Pen(mask))
    canvas.paste(fabric, mask=mask)
    if kind in _DETAILS:
        _DETAILS[kind](_Pen(canvas), look)
    return canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second))
    return red, green, blue


def _shirt(pen: _Pen) -> None:
    pen.polygon([(38, 20), (62, 20), (88, 34), (80, 50), (70, 45), (70, 88)], 255)
    pen.polygon([(38, 20), (12, 34), (20, 50), (30, 45), (30, 88), (70, 88), (70, 45)], 255)
    pen.polygon([(38, 20), (62, 20), (70, 45), (30, 45)], 255)
    pen.ellipse(42, 13, 58, 27, 0)


def _bag(pen: _Pen) -> None:
    pen.ring((34, 14, 66, 62), 180, 360, 4)
    pen.polygon([(20, 38), (80, 38), (86, 88), (14, 88)], 255)


def _hat(pen: _Pen) -> None:
    pen.ellipse(28, 24, 72, 92, 255)
    pen.box(10, 76, 90, 100, 0)
    pen.rounded(10, 66, 90, 76, 255, 5)


def _scarf(pen: _Pen) -> None:
    pen.ring((26, 12, 74, 60), 0, 360, 12)
    pen.polygon([(40, 48), (56, 50), (50, 90), (32, 88)], 255)
    pen.polygon([(52, 50), (66, 46), (76, 82), (60, 88)], 255)


def _lamp(pen: _Pen) -> None:
    pen.polygon([(36, 16), (64, 16), (80, 54), (20, 54)], 255)
    pen.box(47.5, 54, 52.5, 84, 255)
    pen.rounded(34, 82, 66, 89, 255, 3)


def _mug(pen: _Pen) -> None:
    pen.ring((58, 38, 88, 72), 0, 360, 6)
    pen.rounded(20, 28, 72, 88, 255, 7)
    pen.box(20, 28, 72, 40, 255)


def _rug(pen: _Pen) -> None:
    pen.polygon([(26, 26), (74, 26), (90, 82), (10, 82)], 255)
    for n in range(17):
        left = 10.5 + n * 4.8
        pen.polygon([(left, 82), (left + 2, 82), (left + 1.6, 88), (left - 0.4, 88)], 255)


def _chair(pen: _Pen) -> None:
    pen.rounded(26, 14, 74, 58, 255, 10)
    pen.rounded(18, 50, 82, 70, 255, 6)
    for left in (23, 71):
        pen.box(left, 68, left + 6, 90, 255)


_OUTLINES: dict[str, Callable[[_Pen], None]] = {
    "shirt": _shirt,
    "bag": _bag,
    "hat": _hat,
    "scarf": _scarf,
    "lamp": _lamp,
    "mug": _mug,
    "rug": _rug,
    "chair": _chair,
}


def _dark(look: Style) -> Colour:
    return _mixed(look.colour, (20, 16, 24), 0.45)


def _hat_band(pen: _Pen, look: Style) -> None:
    pen.polygon([(29, 57), (71, 57), (72, 66), (28, 66)], _dark(look))


def _lamp_foot(pen: _Pen, look: Style) -> None:
    pen.box(47.5, 54, 52.5, 84, _dark(look))
    pen.rounded(34, 82, 66, 89, _dark(look), 3)


def _mug_rim(pen: _Pen, look: Style) -> None:
    pen.ellipse(20, 23, 72, 33, _mixed(look.colour, (255, 255, 255), 0.35))
    pen.ellipse(23, 24.5, 69, 31.5, _dark(look))


def _chair_legs(pen: _Pen, look: Style) -> None:
    for left in (23, 71):
        pen.box(left, 70, left + 6, 90, _dark(look))


_DETAILS: dict[str, Callable[[_Pen, Style], None]] = {
    "hat": _hat_band,
    "lamp": _lamp_foot,
    "mug": _mug_rim,
    "chair": _chair_legs,
}


def _stripes(pen: _Pen, look: Style, where: tuple[int, int], random_: random.Random) -> None:
    step = random_.choice((7, 9, 12))
    for top in range(where[1] % step - step, _GRID, step):
        pen.box(0, top, _GRID, top + step * 0.38, look.accent)


def _firs(pen: _Pen, look: Style, where: tuple[int, int], random_: random.Random) -> None:
    step = random_.choice((13, 16))
    for row, y in enumerate(range(where[1] % step - step, _GRID + step, step)):
        for x in range(where[0] % step - step + (row % 2) * step // 2, _GRID + step, step):
            for part in range(3):
                top, half = y + part * step * 0.18, step * (0.16 + 0.07 * part)
                peak = [(x, top), (x - half, top + step * 0.3), (x + half, top + step * 0.3)]
                pen.polygon(peak, look.accent)


def _dunes(pen: _Pen, look: Style, where: tuple[int, int], random_: random.Random) -> None:
    step, bend = random_.choice((10, 14)), random_.uniform(2, 4)
    for number, top in enumerate(range(where[1] % step - 2 * step, _GRID + step, step)):
        wave = [
            (x, top + bend * math.sin((x + where[0] + number * 17) / 9)) for x in range(0, 104, 2)
        ]
        lower = [(x, y + step * 0.45) for x, y in reversed(wave)]
        pen.polygon(wave + lower, look.accent)


def _stars(pen: _Pen, look: Style, where: tuple[int, int], random_: random.Random) -> None:
    for _ in range(46):
        x, y = random_.uniform(0, _GRID), random_.uniform(0, _GRID)
        long, short = random_.choice(((3.2, 0.9), (2.2, 0.6), (1.4, 0.4)))
        reach = [long, short] * 4
        star = [
            (x + r * math.sin(n * math.pi / 4), y - r * math.cos(n * math.pi / 4))
            for n, r in enumerate(reach)
        ]
        pen.polygon(star, look.accent)
    x, y = 20 + where[0] * 2, 34 + where[1]
    pen.ellipse(x, y, x + 16, y + 16, look.accent)
    pen.ellipse(x + 5, y - 2, x + 20, y + 13, look.colour)


def _bubbles(pen: _Pen, look: Style, where: tuple[int, int], random_: random.Random) -> None:
    for number in range(34):
        x, y = (where[0] + number * 37) % _GRID, (where[1] + number * 61) % _GRID
        radius = random_.uniform(1.5, 5)
        shade = look.accent if number % 3 else _mixed(look.colour, (255, 255, 255), 0.55)
        pen.ellipse(x - radius, y - radius, x + radius, y + radius, shade)


_PATTERNS: dict[str, Callable[[_Pen, Style, tuple[int, int], random.Random], None]] = {
    "marine": _stripes,
    "forest": _firs,
    "desert": _dunes,
    "night": _stars,
    "candy": _bubbles,
}
