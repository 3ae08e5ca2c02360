"""The rows of a sparse matrix, as numpy keeps and maps them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Row ``r`` has ``index[start[r] : start[r + 1]]``, and ``value`` there if it has values.

    Shapes:
        - **start:** ``[n + 1]``, **index:** ``[E]``, **value:** ``[E]`` or ``[E, K]``
    """

    start: Array
    index: Array
    value: Array | None = None

    @classmethod
    def of(cls, row: Array, index: Array, num_rows: int, value: Array | None = None) -> "Rows":
        """Rows of entries in any order; those of one row stay in theirs."""
        order = np.argsort(row, kind="stable")
        start = np.zeros(num_rows + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=num_rows), out=start[1:])
        return cls(start, index[order].astype(np.int32), None if value is None else value[order])

    def __len__(self) -> int:
        return len(self.start) - 1

    def indices(self, row: int) -> Array:
        """``[n]`` the columns of a row."""
        return np.asarray(self.index[self.start[row] : self.start[row + 1]])

    def values(self, row: int) -> Array:
        """``[n]`` or ``[n, K]``, what stands there."""
        assert self.value is not None
        return np.asarray(self.value[self.start[row] : self.start[row + 1]])

    def dense(self, row: int, num_columns: int) -> Array:
        """``[num_columns]``, zeros where the row has nothing."""
        out = np.zeros(num_columns, dtype=np.float32)
        out[self.indices(row)] = self.values(row)
        return out

    def sum(self, rows: Iterable[int], num_columns: int) -> Array:
        """``[num_columns]`` float32, the sum of some rows."""
        rows = list(rows)
        if not rows:
            return np.zeros(num_columns, dtype=np.float32)
        index = np.concatenate([self.indices(row) for row in rows])
        value = np.concatenate([self.values(row) for row in rows])
        return np.bincount(index, weights=value, minlength=num_columns).astype(np.float32)
