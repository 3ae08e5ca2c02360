"""The tables ``users.csv`` and ``items.csv``, which name what the numbers of a folder stand for."""

from pathlib import Path

import pandas as pd

from crane_pyg.datasets.columns import IMAGE, ITEM, ORIGINAL_ID, TITLE, USER
from crane_pyg.datasets.tables import check_columns, open_table, read_columns

_NUMBER = {"users": USER, "items": ITEM}


def read_ids(folder: str | Path, kind: str, size: int) -> pd.DataFrame | None:
    """Reads the original ids of a folder's users or items, in the order of their numbers.

    Args:
        folder (str or Path): The folder of a :class:`~crane_pyg.datasets.MultimodalDataset`.
        kind (str): ``'users'`` or ``'items'``.
        size (int): The number of users or items of the data set.

    Returns:
        A table of text with the column ``original_id`` and, if the file has them, ``title`` and
        ``image``; :obj:`None` if there is no such file.

    Raises:
        ValueError: naming the file, if it lacks a column, does not number 0, 1, 2 and so on, has
            fewer rows than ``size``, or an id twice.
    """
    path, number = Path(folder, f"{kind}.csv"), _NUMBER[kind]
    if not path.is_file():
        return None
    source = open_table(path, delimiter=",")
    check_columns(source, [number, ORIGINAL_ID])
    known = [column for column in (TITLE, IMAGE) if column in source.columns]
    columns = [number, ORIGINAL_ID, *known]
    table = pd.DataFrame(dict(zip(columns, read_columns(source, columns))), dtype=str)
    wrong = table[number] != pd.Series(range(len(table)), dtype=int).astype(str)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"'{path}', row {row}, column '{number}': must be {row} (got {table[number][row]!r})"
        )
    if len(table) < size:
        raise ValueError(f"'{path}' must have a row for each of {size} {kind} (got {len(table)})")
    twice = table[ORIGINAL_ID].duplicated()
    if twice.any():
        again = table[ORIGINAL_ID][int(twice.argmax())]
        raise ValueError(
            f"'{path}', column '{ORIGINAL_ID}': must be distinct (got {again!r} twice)"
        )
    return table[columns[1:]]
