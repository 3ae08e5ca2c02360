"""The history of a training on the disk, while it trains."""

import time
from pathlib import Path

from crane_pyg.files import write_text
from crane_pyg.training.result import FitResult

_BETWEEN = 1.0  # seconds from one writing to the next: a quick epoch would wait for the disk


class HistoryFile:
    """Writes the rows that :func:`~crane_pyg.training.fit` calls it with, as a table.

    The file is whole at every moment, and lags by a second at most; after :meth:`finish` it is that
    of :meth:`FitResult.to_frame`. A training that goes on calls with the rows that it had, too, so
    that none is there twice.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.written = 0.0

    def __call__(self, row: dict[str, float]) -> None:
        """Take the row of an epoch."""
        self.rows.append(row)
        if time.monotonic() - self.written >= _BETWEEN:
            self.finish()

    def finish(self) -> None:
        """Write what there is."""
        write_text(self.path, FitResult(history=self.rows).to_frame().to_csv())
        self.written = time.monotonic()
