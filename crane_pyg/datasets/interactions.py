"""The interactions of a data set's folder: its ``.inter`` file, read strictly and split."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crane_pyg.datasets.columns import ITEM, LABEL, TIMESTAMP, USER
from crane_pyg.datasets.filters import distinct_pairs, k_core, renumber
from crane_pyg.datasets.splits import NEEDED_COLUMN, Split, label_interactions
from crane_pyg.datasets.tables import Table, check_columns, open_table
from crane_pyg.limits import check_limit, limit, shown


class _Kind(NamedTuple):
    """What the cells of a column must be."""

    parse: Callable[[str], float]
    dtype: type[np.number]
    least: float
    most: float
    expected: str


_ID = _Kind(int, np.int64, 0, 2**31 - 1, f"an integer from 0 to {2**31 - 1}")
_LABEL = _Kind(int, np.int64, 0, 2, "an integer from 0 to 2")
_LARGEST = float(np.finfo(np.float64).max)
_TIME = _Kind(float, np.float64, -_LARGEST, _LARGEST, "a finite number")
_FEW_IDS = 250_000
_KINDS = {USER: _ID, ITEM: _ID, LABEL: _LABEL, TIMESTAMP: _TIME}


class Interactions(NamedTuple):
    """Rows of a file, in its order.

    Shapes: all :math:`(R)`, the timestamp in :obj:`float64`, the others in :obj:`int64`; label and
    timestamp are :obj:`None` where they were not asked for.
    """

    user: np.ndarray
    item: np.ndarray
    label: np.ndarray | None = None
    timestamp: np.ndarray | None = None


class SplitInteractions(NamedTuple):
    """Distinct pairs of a user and an item, each in one split.

    Args:
        user (numpy.ndarray): The user of each pair.
        item (numpy.ndarray): The item of each pair.
        label (numpy.ndarray): The split of each pair.
        original_user (numpy.ndarray): The number that each user had before rare ones were dropped.
        num_duplicates (int): Rows merged away because they repeat a pair.
        num_leaked (int): Pairs found in more than one split.
    """

    user: np.ndarray
    item: np.ndarray
    label: np.ndarray
    original_user: np.ndarray
    num_duplicates: int
    num_leaked: int


def find_interactions(folder: str | Path, name: str | None = None) -> Path:
    """Returns the path of ``<name>.inter``, or of the only ``.inter`` file in :obj:`folder`.

    Raises:
        ValueError: if there is no such folder or file, or there are several and no name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"The data folder does not exist (got '{folder}')")
    if name is not None:
        path = folder / f"{name}.inter"
        if not path.is_file():
            raise ValueError(f"There is no file '{path.name}' in '{folder}' (got name={name!r})")
        return path
    found = [path for path in sorted(folder.glob("*.inter")) if not path.name.startswith(".")]
    if len(found) != 1:
        names = [path.name for path in found]
        raise ValueError(f"'{folder}' must hold one '.inter' file, or pass `name` (got {names})")
    return found[0]


def read_interactions(path: str | Path, *, split: Split = "given") -> Interactions:
    """Reads a tab-separated table of interactions, one row each, in file order.

    Args:
        path (str or Path): A text file whose header names at least the columns ``userID`` and
            ``itemID``. Other columns are not looked at, but for the one of the split.
        split (str, optional): The split to be made, which decides on the third column that is
            read: ``'given'`` needs ``x_label`` (0 train, 1 val, 2 test), ``'time'`` and ``'last'``
            need ``timestamp``, ``'random'`` and ``'cold'`` none. (default: :obj:`'given'`)

    Raises:
        ValueError: naming the file, the column, the line (counted from 1) and the value, if a
            column is missing, the file has no rows, an id is not an integer from 0 to
            :math:`2^{31} - 1`, a label is not 0, 1 or 2, or a timestamp is not a finite
            number; and if an id is beyond a hundred times the number of rows, and 250,000.
    """
    table = open_table(Path(path), delimiter="\t", quoted=False)
    needed = NEEDED_COLUMN.get(split)
    columns = [USER, ITEM] if needed is None else [USER, ITEM, needed]
    check_columns(table, columns)
    parts: dict[str, list[np.ndarray]] = {column: [] for column in columns}
    num_rows = 0
    for block in table.blocks(columns):
        for column, values in zip(columns, block):
            parts[column].append(_parse(table, column, values, num_rows))
        num_rows += len(block[0])
    if num_rows == 0:
        raise ValueError(f"'{path}' has a header but no interactions (got 0 rows)")
    read = {column: np.concatenate(part) for column, part in parts.items()}
    for column in (USER, ITEM):
        _check_gaps(table, column, read[column])
    return Interactions(read[USER], read[ITEM], read.get(LABEL), read.get(TIMESTAMP))


def split_interactions(
    rows: Interactions, *, split: Split = "given", seed: int = 0, min_user_interactions: int = 0
) -> SplitInteractions:
    """Keeps each pair once, drops users with too few of them, and labels what is left.

    Args:
        rows (Interactions): What :func:`read_interactions` returned for the same split.
        split (str, optional): See :func:`~crane_pyg.datasets.splits.label_interactions`.
            (default: :obj:`'given'`)
        seed (int, optional): The seed of the random or cold split. (default: :obj:`0`)
        min_user_interactions (int, optional): Distinct pairs that a user needs to stay; if any
            user goes, the others are numbered anew without gaps. (default: :obj:`0`)
    """
    user, item, label, timestamp = rows
    kept, num_leaked = distinct_pairs(user, item, label=label, timestamp=timestamp)
    num_duplicates = len(user) - len(kept)
    original_user = np.arange(int(user.max()) + 1)
    if min_user_interactions > 0:
        kept = kept[k_core(user[kept], item[kept], min_user=min_user_interactions)]
        renumbered, original_user = renumber(user[kept])
    else:
        renumbered = user[kept]
    drawn = label_interactions(
        split,
        renumbered,
        item[kept],
        label=None if label is None else label[kept],
        timestamp=None if timestamp is None else timestamp[kept],
        seed=seed,
    )
    return SplitInteractions(
        renumbered, item[kept], drawn, original_user, num_duplicates, num_leaked
    )


def check_items(path: Path, item: np.ndarray, feature_path: Path, num_rows: int) -> None:
    """Raises a :class:`ValueError` if an interaction in :obj:`path` has no feature row."""
    beyond = np.flatnonzero(item >= num_rows)
    if len(beyond):
        row = int(beyond[0])
        where = open_table(path, delimiter="\t", quoted=False).where(row)
        raise ValueError(
            f"{where}, column '{ITEM}': must be below {num_rows}, the number of rows of "
            f"'{feature_path}' (got {item[row]})"
        )


def _check_gaps(table: Table, column: str, ids: np.ndarray) -> None:
    """Refuses ids far beyond their number: every id up to the greatest takes memory."""
    bound = max(_FEW_IDS, limit("IDS") * len(ids))
    if ids.max() >= bound:
        where = table.where(int(ids.argmax()))
        check_limit("IDS", int(ids.max()), f"{where}, column '{column}': an id", bound=bound - 1)


def _parse(table: Table, column: str, values: list[str], num_before: int) -> np.ndarray:
    """Parses a block of a column, of which ``num_before`` rows came before."""
    kind = _KINDS[column]
    try:
        number = np.fromiter(map(kind.parse, values), kind.dtype, len(values))
        text = "".join(values)
        good = ((number >= kind.least) & (number <= kind.most)).all() and _is_plain(text)
    except (ValueError, OverflowError):
        good = False
    if not good:
        row = next(row for row, value in enumerate(values) if not _fits(value, kind))
        raise ValueError(
            f"{table.where(num_before + row)}, column '{column}': must be {kind.expected} "
            f"(got {shown(values[row])})"
        )
    return number


def _is_plain(text: str) -> bool:
    """Whether a text holds neither ``_`` nor digits of other scripts, which Python takes too."""
    return text.isascii() and "_" not in text


def _fits(value: str, kind: _Kind) -> bool:
    try:
        return _is_plain(value) and kind.least <= kind.parse(value) <= kind.most
    except ValueError:
        return False
