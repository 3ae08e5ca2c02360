"""The best items of the whole catalogue, by all of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.serving.rows import Array
from crane_pyg.serving.scores import Scores, Taste
from crane_pyg.serving.scoring import best

_BLOCK = 2**24  # scores held at a time


@dataclass(frozen=True)
class Asker:
    """Somebody who is ranked for.

    Args:
        taste: what is known of them.
        hidden: numbers of items that are not to be shown, ``[n]``.
    """

    taste: Taste
    hidden: Array


class Found(NamedTuple):
    """Numbers of items, best first, and their scores, ``[k]`` each."""

    items: Array
    scores: Array


class ExactSearch:
    """Scores every item, with one matrix product for all who ask.

    Args:
        scores: of the model.
    """

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def rank(
        self,
        askers: Sequence[Asker],
        k: int,
        allowed: Array | None = None,
        content_weight: float | None = None,
    ) -> list[Found]:
        """The best items of each.

        Args:
            askers: for whom.
            k: how many; fewer where no more are left.
            allowed: which items may be shown, ``[N]`` bool. (default: all)
            content_weight: see :meth:`crane_pyg.serving.Recommender.recommend`.
        """
        found = []
        for block in self._blocks(askers):
            scores = self.scores([asker.taste for asker in block], content_weight)
            for asker, score in zip(block, scores, strict=True):
                if allowed is not None:
                    score[~allowed] = -np.inf
                found.append(_best(score, k, asker.hidden))
        return found

    def popular(self, k: int, allowed: Array | None = None) -> Found:
        """What most have taken.

        Args:
            k, allowed: see :meth:`rank`.
        """
        taken = self.scores.tables.taken.astype(np.float32)
        return _best(taken, k, [] if allowed is None else ~allowed)

    def similar(self, items: Sequence[int], k: int, by: str) -> list[Found]:
        """The items most like each, without itself.

        Args:
            items: numbers.
            k: how many.
            by: see :meth:`crane_pyg.serving.Recommender.similar_items`.
        """
        found = []
        for block in self._blocks(items):
            scores = self.scores.resemblance(np.array(block), by)
            found += [_best(score, k, item) for item, score in zip(block, scores, strict=True)]
        return found

    def _blocks(self, asked: Sequence[Any]) -> list[Sequence[Any]]:
        step = max(1, _BLOCK // max(1, self.scores.num_items))
        return [asked[start : start + step] for start in range(0, len(asked), step)]


def _best(score: Array, k: int, hidden: Any) -> Found:
    score[hidden] = -np.inf
    items = best(score, k)
    return Found(items, score[items])
