"""What :func:`~crane_pyg.training.fit` calls after every epoch."""

from typing import Protocol


class Callback(Protocol):
    """Called with the row of each epoch: its number, loss terms, seconds, validation scores.

    Training stops where it returns true; what it raises ends the training.
    """

    def __call__(self, row: dict[str, float], /) -> bool | None:
        """Take the numbers of an epoch."""


def call_each(*callbacks: Callback | None) -> Callback:
    """Several callbacks as one: all are called, in their order, and any may stop the training.

    Args:
        *callbacks: the callbacks; ``None`` is passed over.
    """
    given = [callback for callback in callbacks if callback is not None]

    def call(row: dict[str, float], /) -> bool:
        wishes = [callback(row) for callback in given]
        return any(wishes)

    return call
