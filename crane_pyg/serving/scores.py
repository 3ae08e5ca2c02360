from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scoring import mixed, pair_scores, unit_rows
from crane_pyg.serving.tables import Tables


@dataclass(frozen=True)
class Taste:
    """What is known of somebody.

    Args:
        vector: theirs, ``[d]``, where the model has vectors.
        history: what they took, ``[n]``.
        length: of the vector before it was made one; 1 where it was not.
        start, taken: how much of the vector is what the model makes of the history, and how much
            the mean of what was taken, where it was fitted, see
            :class:`~crane_pyg.serving.history_fit.Fitted`.
    """

    vector: Array | None
    history: Array
    length: float = 1.0
    start: float = 1.0
    taken: float = 0.0


class Scores:
    """The scores of a trained model, with numbers for users and items.

    Args:
        tables: what the artefact holds.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables, self.num_items = tables, len(tables.item_ids)

    def __call__(self, tastes: Sequence[Taste], content_weight: float | None = None) -> Array:
        """The scores of the catalogue.

        Args:
            tastes: of whom.
            content_weight: how much likeness to what was taken counts, beside the model's scores.

        Returns:
            ``[B, N]``, the caller's to overwrite.
        """
        own, tables = self.own(tastes), self.tables
        linear = self.linear(tastes) if own is None or tables.share > 0 else None
        if own is not None and linear is not None:
            score = mixed(own, linear, [tables.share_of(taste.history) for taste in tastes])
        else:
            only = own if linear is None else linear
            assert only is not None
            score = only
        if not content_weight:
            return score
        return mixed(score, self.content(tastes), [content_weight] * len(tastes))

    def taste_of(self, user: int) -> Taste:
        """What is known of a user, by number."""
        tables = self.tables
        history = tables.seen.indices(user)[: int(tables.trained[user])]
        vectors = tables.vectors
        if vectors is None:
            return Taste(None, history)
        length = 1.0 if vectors.user_norm is None else float(vectors.user_norm[user]) or 1.0
        return Taste(vectors.user[user], history, length)

    def explained_taste_of(self, user: int) -> Taste:
        """As :meth:`taste_of`; where the vector was fitted to what they took, it says how."""
        taste, vectors = self.taste_of(user), self.tables.vectors
        fit = None if vectors is None else vectors.fit
        if fit is None or not fit.of_known_users or len(taste.history) == 0:
            return taste
        return self.taste_for(taste.history)

    def taste_for(self, history: Array) -> Taste:
        """What is known of somebody who took some items, by their numbers."""
        if len(history) == 0:
            raise ValueError("a history must hold at least one item (got none)")
        vectors = self.tables.vectors
        if vectors is None:
            return Taste(None, history)
        vector, length = vectors.fold_in.vector([int(item) for item in history]), 1.0
        if vectors.similarity == "cosine":
            vector, length = unit_rows(vector), float(np.linalg.norm(vector)) or 1.0
        if vectors.fit is None:
            return Taste(vector, history, length)
        fitted = vectors.fit(vector, vectors.item[history])
        return Taste(fitted.vector, history, length, fitted.start, fitted.taken)

    def own(self, tastes: Sequence[Taste]) -> Array | None:
        """``[B, N]`` what the vectors say; ``None`` for a model without vectors."""
        vectors = self.tables.vectors
        if vectors is None:
            return None
        rows = [taste.vector for taste in tastes if taste.vector is not None]
        return pair_scores(np.stack(rows), vectors.item, vectors.similarity, vectors.blocks)

    def linear(self, tastes: Sequence[Taste]) -> Array | None:
        """``[B, N]`` what the items taken say for others; ``None`` for a model without that."""
        linear, num_items = self.tables.linear, self.num_items
        if linear is None:
            return None
        sums = []
        for taste in tastes:
            history = taste.history[taste.history < len(linear)]
            if isinstance(linear, Rows):
                sums.append(linear.sum(map(int, history), num_items))
            else:
                row = np.asarray(linear[history].sum(axis=0))
                sums.append(np.pad(row, (0, num_items - len(row))))
        return np.stack(sums)

    def content(self, tastes: Sequence[Taste]) -> Array:
        """``[B, N]`` how much items resemble what was taken, the mean over the modalities."""
        if not self.tables.looks:
            raise ValueError("content_weight needs items with features (got a model without)")
        total = np.zeros((len(tastes), self.num_items), dtype=np.float32)
        for look in self.tables.looks.values():
            profile = np.stack([look.rows[taste.history].sum(axis=0) for taste in tastes])
            total += profile @ look.rows.T
        return total / np.float32(len(self.tables.looks))

    def resemblance(self, items: Array, by: str) -> Array:
        """``[B, N]`` how much all items are like some: by ``'behaviour'``, ``'content'``, or a
        modality. The caller's to overwrite."""
        tables = self.tables
        if by == "behaviour":
            if tables.vectors is None:
                said = self.linear([Taste(None, np.array([item])) for item in items])
                assert said is not None
                return said
            return np.asarray(self._unit_items[items] @ self._unit_items.T)
        names = list(tables.looks) if by == "content" else [by]
        rows = [tables.looks[name].rows for name in names]
        return np.asarray(np.mean([look[items] @ look.T for look in rows], axis=0))

    @cached_property
    def _unit_items(self) -> Array:
        assert self.tables.vectors is not None
        item = self.tables.vectors.item
        return item if self.tables.vectors.similarity == "cosine" else unit_rows(item)
