"""Titles and pictures of the items, from the tables and folders that a data set was made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from crane_pyg.datasets.columns import TITLE, USUAL_NAMES, Role
from crane_pyg.datasets.tables import Table, open_table, read_columns

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
_TITLES = (TITLE, "name")


class ItemTexts(NamedTuple):
    """What people see of the items, in the order of their numbers.

    Args:
        titles: of the items. (default: none)
        pictures: paths of their pictures, empty for an item without one. (default: none)
    """

    titles: Sequence[str] | None = None
    pictures: Sequence[str] | None = None


def read_item_texts(
    item_ids: Sequence[str],
    table: Path | None = None,
    images: Path | None = None,
    known: ItemTexts | None = None,
) -> ItemTexts:
    """Look up titles and pictures.

    Pictures are named relative to ``images``: as a column of the table says, or else by the item's
    id and the ending of a picture. Whether they can be read is not asked.

    Args:
        item_ids: original ids, in the order of the numbers.
        table: the table of items, with an id, and a title or a picture.
        images: the folder of pictures.
        known: what the data set says already.

    Raises:
        ValueError: if a file is missing or lacks a column of ids.
    """
    titles, pictures = known or ItemTexts()
    if table is not None:
        source = open_table(table)
        ids = _column(source, Role.ITEM)
        if ids is None:
            raise ValueError(f"'{table}' must have a column of item ids (got {source.columns})")
        title = next((c for c in source.columns if c.lower() in _TITLES), None)
        picture = _column(source, Role.IMAGE)
        titles = titles if title is None else _looked_up(source, ids, title, item_ids)
        pictures = pictures if picture is None else _looked_up(source, ids, picture, item_ids)
    if images is not None and pictures is None:
        if not images.is_dir():
            raise ValueError(f"the pictures must lie in a folder (got '{images}')")
        names = {p.stem: p.name for p in sorted(images.iterdir()) if p.suffix.lower() in _PICTURES}
        pictures = [names.get(item, "") for item in item_ids]
    return ItemTexts(titles, pictures)


def _column(table: Table, role: str) -> str | None:
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in table.columns}
    return next((plain[name] for name in plain if name in USUAL_NAMES[role]), None)


def _looked_up(table: Table, ids: str, column: str, item_ids: Sequence[str]) -> list[str]:
    found = dict(zip(*read_columns(table, [ids, column]), strict=True))
    return [found.get(item, "").strip() for item in item_ids]
