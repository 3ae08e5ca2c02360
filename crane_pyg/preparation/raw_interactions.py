"""Reading anybody's table of interactions: ids become numbers, ratings and times are checked."""

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane_pyg.datasets.columns import Role
from crane_pyg.datasets.splits import TEST, TRAIN, VAL
from crane_pyg.datasets.tables import Table
from crane_pyg.limits import shown

NOTHING = {"", "nan", "null", "none", "<na>", "n/a", "nat"}  # how programs write a missing value
LABELS = {
    **{"0": TRAIN, "train": TRAIN, "training": TRAIN},
    **{"1": VAL, "val": VAL, "valid": VAL, "validation": VAL, "dev": VAL},
    **{"2": TEST, "test": TEST, "testing": TEST},
}


class RawInteractions(NamedTuple):
    """Interactions in the order of the file.

    Args:
        user (numpy.ndarray): The number of each row's user.
        item (numpy.ndarray): The number of each row's item.
        rating (numpy.ndarray, optional): Ratings, if there is such a column.
        timestamp (numpy.ndarray, optional): Times in seconds, if there is such a column.
        label (numpy.ndarray, optional): Labels of the split, if there is such a column.
        users (list): The id of each user number, in order of appearance.
        items (list): The id of each item number, in order of appearance.

    Shapes: arrays are :math:`(R)` each.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    timestamp: np.ndarray | None
    label: np.ndarray | None
    users: list[str]
    items: list[str]


def read_raw_interactions(table: Table, columns: Mapping[str, str]) -> RawInteractions:
    """Reads a table of interactions.

    Args:
        table (Table): The table.
        columns (dict): The names of its columns by :class:`~crane_pyg.datasets.columns.Role`; user
            and item are needed.

    Raises:
        ValueError: naming file, line, column and value, if an id is missing, a rating is not a
            finite number, a timestamp is neither a finite number nor an ISO date, or a label is
            none of 0, 1, 2, train, val, test or another usual word for these; and if there are no
            rows.
    """
    readers: dict[str, _Column] = {}
    for role, column in columns.items():
        readers[role] = _READERS[role](table, column)
    for block in table.blocks(list(columns.values())):
        for reader, values in zip(readers.values(), block):
            reader.add(values)
    user, item = readers[Role.USER], readers[Role.ITEM]
    if user.num_rows == 0:
        raise ValueError(f"'{table.path}' has a header but no interactions (got 0 rows)")
    assert isinstance(user, _Ids)
    assert isinstance(item, _Ids)
    rating, timestamp, label = (
        readers[role].values() if role in readers else None
        for role in (Role.RATING, Role.TIMESTAMP, Role.LABEL)
    )
    return RawInteractions(
        user.values(), item.values(), rating, timestamp, label, list(user.number), list(item.number)
    )


class _Column:
    """Collects what the blocks of a column hold, as arrays."""

    def __init__(self, table: Table, column: str) -> None:
        self.table, self.column = table, column
        self.num_rows = 0
        self._parts: list[np.ndarray] = []

    def add(self, values: list[str]) -> None:
        self._parts.append(self.parse(values))
        self.num_rows += len(values)

    def parse(self, values: list[str]) -> np.ndarray:
        raise NotImplementedError

    def values(self) -> np.ndarray:
        return np.concatenate(self._parts)

    def refuse(self, values: list[str], position: int, expected: str) -> None:
        raise ValueError(
            f"{self.table.where(self.num_rows + position)}, column '{self.column}': must be "
            f"{expected} (got {shown(values[position])})"
        )


class _Ids(_Column):
    def __init__(self, table: Table, column: str) -> None:
        super().__init__(table, column)
        self.number: dict[str, int] = {}

    def parse(self, values: list[str]) -> np.ndarray:
        number = self.number
        before = len(number)
        codes = [number.setdefault(value, len(number)) for value in values]
        for value in islice(reversed(number), len(number) - before):  # the new ones
            if value.strip().lower() in NOTHING:
                self.refuse(values, values.index(value), "an id")
        return np.array(codes, dtype=np.int32)


class _Ratings(_Column):
    def parse(self, values: list[str]) -> np.ndarray:
        number = _numbers(values)
        finite = np.isfinite(number)
        if not finite.all():
            self.refuse(values, int(finite.argmin()), "a finite number")
        return number


class _Times(_Column):
    _dates: bool | None = None

    def parse(self, values: list[str]) -> np.ndarray:
        if self._dates is None and values:
            self._dates = bool(np.isnan(_numbers(values[:1])[0]))
        if not self._dates:
            number, expected = _numbers(values), "a finite number, as in the first row"
        else:
            number, expected = _moments(values), "a number of seconds or an ISO date"
        finite = np.isfinite(number)
        if not finite.all():
            self.refuse(values, int(finite.argmin()), expected)
        return number

    def values(self) -> np.ndarray:
        number = super().values()
        whole = number.astype(np.int64) if np.abs(number).max() < 2**53 else number
        return whole if np.array_equal(whole, number) else number


class _Labels(_Column):
    def parse(self, values: list[str]) -> np.ndarray:
        label = np.array([LABELS.get(value.strip().lower(), -1) for value in values], np.int64)
        if (label < 0).any():
            self.refuse(values, int(label.argmin()), "0, 1, 2, train, val or test")
        return label


_READERS: dict[str, type[_Column]] = {
    Role.USER: _Ids,
    Role.ITEM: _Ids,
    Role.RATING: _Ratings,
    Role.TIMESTAMP: _Times,
    Role.LABEL: _Labels,
}
_EPOCH, _SECOND = pd.Timestamp(0, tz="UTC"), pd.Timedelta(seconds=1)


def _numbers(values: list[str]) -> np.ndarray:
    """NaN for what is no number."""
    return pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(np.float64)


def _moments(values: list[str]) -> np.ndarray:
    """Seconds since 1970; NaN for what is no date, or one that pandas cannot count."""
    texts = pd.Series(values, dtype=object)
    try:
        moment = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
        return ((moment - _EPOCH) / _SECOND).to_numpy()
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        if len(values) == 1:
            return np.array([np.nan])
        return np.concatenate([_moments([value]) for value in values])
