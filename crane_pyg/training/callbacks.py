"""What :func:`~crane_pyg.training.fit` calls after every epoch."""

from typing import Protocol


class Callback(Protocol):
    """Called with the row of each epoch: its number, loss terms, seconds, validation scores.

    Training stops where it returns true; what it raises ends the training.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import Callback, fit
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> def good_enough(row):
        ...     return row["epoch"] >= 2
        ...
        >>> callback: Callback = good_enough
        >>> fit(LightGCN.from_data(data), data, epochs=5, callback=callback).epochs
        2
    """

    def __call__(self, row: dict[str, float], /) -> bool | None:
        """Take the numbers of an epoch."""


def call_each(*callbacks: Callback | None) -> Callback:
    """Several callbacks as one: all are called, in their order, and any may stop the training.

    Args:
        *callbacks: the callbacks; ``None`` is passed over.

    Examples:
        >>> from crane_pyg.training import call_each
        >>> seen = []
        >>> callback = call_each(seen.append, None, lambda row: row["loss"] < 0.1)
        >>> callback({"epoch": 1, "loss": 0.5}), callback({"epoch": 2, "loss": 0.05})
        (False, True)
        >>> len(seen)
        2
    """
    given = [callback for callback in callbacks if callback is not None]

    def call(row: dict[str, float], /) -> bool:
        wishes = [callback(row) for callback in given]
        return any(wishes)

    return call
