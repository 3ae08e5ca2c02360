import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

from crane_pyg.demo import drawing, write_toy_shop
from crane_pyg.demo.toy_shop import KINDS

TUTORIAL = Path(__file__).parent.parent.parent / "docs" / "your_own_data.md"


def test_it_is_the_tutorials_shop(tmp_path, monkeypatch):
    """Ids, titles, texts and log byte for byte, and the same things without a picture."""
    script = re.search(r"```python\n(# toy_shop\.py.*?)```", TUTORIAL.read_text(), re.DOTALL)[1]
    (tmp_path / "toy_shop.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("toy_shop.py")
    monkeypatch.setattr(drawing, "SIDE", 4)
    write_toy_shop(tmp_path / "demo")
    for name in ("items.csv", "log.csv"):
        assert (tmp_path / "demo" / name).read_bytes() == (tmp_path / name).read_bytes()
    theirs, ours = (set(names(tmp_path / where / "pictures")) for where in ("", "demo"))
    assert theirs == ours


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("style", drawing.STYLES)
def test_a_thing_shows_its_style_on_its_paper(style):
    look = drawing.STYLES[style]
    for number, kind in enumerate(KINDS):
        picture = drawing.draw_thing(kind, style, (3, 5), number)
        assert picture.size == (320, 320)
        assert picture.getpixel((2, 2)) == look.paper
        colours = picture.convert("RGB").getcolors(2**20)
        common = [colour for _, colour in sorted(colours, reverse=True)[:3]]
        assert min(distance(look.colour, colour) for colour in common) < 60


def distance(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_equal_seeds_draw_alike_and_others_do_not():
    one, same, other = (drawing.draw_thing("mug", "night", (3, 5), seed) for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()
    assert isinstance(one, Image.Image)
