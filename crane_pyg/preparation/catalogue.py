"""Reading the table of items: a text and a picture for every id."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crane_pyg.datasets.tables import Table
from crane_pyg.preparation.raw_interactions import NOTHING


class Catalogue(NamedTuple):
    """What the table of items says of those that occur in the interactions.

    Args:
        ids (list): Every id of the table, in its order.
        texts (list): For each item number, its texts joined, empty if there is none.
        images (list): For each item number, the cell of the image column, empty if there is none.
        titles (list): For each item number, the cell of the title column, likewise.
        rows (list): For each item number, its row in the table, -1 if there is none.
    """

    ids: list[str]
    texts: list[str]
    images: list[str]
    titles: list[str]
    rows: list[int]


def read_catalogue(
    table: Table,
    wanted: Mapping[str, int],
    *,
    item: str,
    texts: Sequence[str],
    image: str | None,
    title: str | None = None,
) -> Catalogue:
    """Reads a table of items.

    Args:
        table (Table): The table.
        wanted (dict): The number of each item to look up, by its id.
        item (str): The column of ids.
        texts (sequence of str): The columns of texts.
        image (str or None): The column of paths of pictures.
        title (str, optional): The column of titles. (default: :obj:`None`)

    Raises:
        ValueError: naming file, line and column, if an id is missing or comes twice, or if there
            are no rows.
    """
    row_of: dict[str, int] = {}
    empty = [""] * len(wanted)
    found = Catalogue([], [*empty], [*empty], [*empty], [-1] * len(wanted))
    columns = [item, *texts, *(column for column in (image, title) if column)]
    for block in table.blocks(columns):
        for cells in zip(*block):
            key, row = cells[0], len(found.ids)
            if key.strip().lower() in NOTHING:
                raise ValueError(
                    f"{table.where(row)}, column '{item}': must be an id (got {key!r})"
                )
            if row_of.setdefault(key, row) != row:
                raise ValueError(
                    f"{table.where(row)}, column '{item}': must not repeat an id "
                    f"(got {key!r}, as in {table.where(row_of[key])})"
                )
            found.ids.append(key)
            number = wanted.get(key)
            if number is not None:
                found.rows[number] = row
                found.texts[number] = "\n".join(
                    cell
                    for cell in cells[1 : 1 + len(texts)]
                    if cell.strip().lower() not in NOTHING
                )
                found.images[number] = cells[1 + len(texts)].strip() if image else ""
                found.titles[number] = cells[-1].strip() if title else ""
    if not found.ids:
        raise ValueError(f"'{table.path}' has a header but no items (got 0 rows)")
    return found
