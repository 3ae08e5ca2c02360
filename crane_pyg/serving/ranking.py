from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from crane_pyg.limits import shown
from crane_pyg.serving.rows import Array


class UnknownIdError(ValueError):
    """A user or an item of a request is none of the artefact's."""


@dataclass(frozen=True)
class Ranking:
    """Items, best first, and their scores.

    Args:
        ids: original ids.
        scores: of the same length, descending; comparable within one ranking alone.
    """

    ids: tuple[str, ...]
    scores: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(self.ids, self.scores, strict=True)


def numbers_of(number: Mapping[str, int], names: Iterable[str], what: str) -> Array:
    """The numbers of some ids.

    Args:
        number: of every id.
        names: the ids.
        what: what they are of, for the message.

    Raises:
        UnknownIdError: if one has no number.
    """
    names = list(names)
    unknown = [name for name in names if name not in number]
    if unknown:
        raise UnknownIdError(
            f"every {what} must be known (got {len(unknown)} unknown: "
            f"{', '.join(map(shown, unknown[:5]))})"
        )
    return np.array([number[name] for name in names], dtype=np.int64)


def check_request(k: int, content_weight: float | None) -> None:
    """Refuse numbers that no request can have; raises a :class:`ValueError`."""
    if k < 1:
        raise ValueError(f"k must be at least 1 (got {k})")
    if content_weight is not None and not 0 <= content_weight <= 1:
        raise ValueError(f"content_weight must lie between 0 and 1 (got {content_weight})")
