"""A small shop: 200 things in five styles, 300 customers who mostly keep to one of them."""

import csv
import random
from pathlib import Path

from crane_pyg.demo.drawing import STYLES, draw_thing

KINDS = ["shirt", "bag", "hat", "scarf", "lamp", "mug", "rug", "chair"]


def write_toy_shop(folder: Path) -> None:
    """Write ``items.csv``, ``log.csv`` and ``pictures``, which ``prepare`` takes.

    Ids, titles, texts and the log are those of the tutorial, and every tenth thing has no picture;
    the other pictures show what the thing is.

    Args:
        folder: where they go; what is there is replaced.

    Raises:
        ValueError: if Pillow is not installed.
    """
    draw = random.Random(0)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    styles: dict[str, list[str]] = {}
    items = []
    for number in range(200):
        style = draw.choice(list(STYLES))
        item, kind = f"thing-{number:03}", draw.choice(KINDS)
        styles.setdefault(style, []).append(item)
        words = draw.sample(STYLES[style].words.split(), 3)
        items.append([item, f"{style} {kind}", " ".join(words)])
        if number % 10:
            where = (draw.randrange(24), draw.randrange(24))
            picture = draw_thing(kind, style, where, number)
            picture.save(folder / "pictures" / f"{item}.png")
    _write(folder / "items.csv", ["item_id", "title", "description"], items)
    log = []
    for number in range(300):
        favourite = draw.choice(list(STYLES))
        everything = [item for those in styles.values() for item in those]
        taken = draw.sample(styles[favourite], 8) + draw.sample(everything, 2)
        for item in dict.fromkeys(taken):
            time = draw.randrange(1_700_000_000, 1_710_000_000)
            log.append([f"customer {number}", item, str(time)])
    _write(folder / "log.csv", ["user_id", "item_id", "timestamp"], log)


def _write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
