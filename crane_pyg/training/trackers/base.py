"""What every tracker does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class Tracker(ABC):
    """A run of a tracking service, begun when constructed and ended with its ``with`` block.

    A training that goes on from a checkpoint calls with the rows that it had, too, so that its
    tracker has the whole history.

    Args:
        name: what the run is called there.
        settings: what the run depends on, by name.
        folder: where files go, if the tracker writes any. (default: its own place)
    """

    @abstractmethod
    def __init__(
        self, name: str, settings: Mapping[str, Any], folder: Path | None = None
    ) -> None: ...

    def __call__(self, row: dict[str, float], /) -> None:
        """Take the row of an epoch, as a callback of :func:`~crane_pyg.training.fit` does."""
        numbers = {
            f"val/{name}" if "@" in name else f"train/{name}": value
            for name, value in row.items()
            if name != "epoch"
        }
        self.log(numbers, int(row["epoch"]))

    @abstractmethod
    def log(self, numbers: Mapping[str, float], epoch: int) -> None:
        """Keep the numbers of an epoch, named ``train/...`` and ``val/...``."""

    @abstractmethod
    def finish(self, scores: Mapping[str, float]) -> None:
        """Keep the scores of the test, named as :func:`~crane_pyg.training.evaluate` does."""

    @abstractmethod
    def close(self, *, failed: bool) -> None:
        """End the run.

        Args:
            failed: whether an error ended it.
        """

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(failed=error is not None)
