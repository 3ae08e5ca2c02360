from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array


@dataclass(frozen=True)
class LinearFoldIn:
    r"""Vectors of users whom training has not seen, as sums over what they took.

    .. math::
        \mathbf{z} = \mathbf{c} + \sum_p (|\mathcal{H}| + s_p)^{-q_p}
        \sum_{h \in \mathcal{H}} \mathbf{F}^p_h

    Args:
        tables: :math:`\mathbf{F}^p`, ``[N, d]`` each.
        shifts: :math:`s_p`.
        powers: :math:`q_p`.
        constant: :math:`\mathbf{c}`, ``[d]``.
    """

    tables: tuple[Array, ...]
    shifts: tuple[float, ...]
    powers: tuple[float, ...]
    constant: Array

    def vector(self, history: Sequence[int]) -> Array:
        """The vector ``[d]`` of a history."""
        out: Array = self.constant + self.parts(history).sum(axis=0)
        return out

    def parts(self, history: Sequence[int]) -> Array:
        """What each item of a history adds to the vector, ``[n, d]``."""
        places = np.asarray(history, dtype=np.int64)
        out: Array = np.zeros(1, dtype=np.float32)
        for table, shift, power in zip(self.tables, self.shifts, self.powers, strict=True):
            out = out + np.float32((len(places) + shift) ** -power) * table[places]
        return np.asarray(out)

    def extended(self, rows: Array) -> "LinearFoldIn":
        """With items added, of which the last table has ``rows``, and the others zeros."""
        added = [*(np.zeros_like(rows) for _ in self.tables[1:]), rows]
        tables = tuple(np.concatenate(pair) for pair in zip(self.tables, added, strict=True))
        return LinearFoldIn(tables, self.shifts, self.powers, self.constant)


@dataclass(frozen=True)
class SolvedFoldIn:
    r"""Half a step of alternating least squares, which is how such a model treats any user.

    .. math::
        \mathbf{z} = \Big( \sum_{h \in \mathcal{H}} \mathbf{x}_h \mathbf{x}_h^{\top}
        + \alpha_0 \mathbf{X}^{\top} \mathbf{X} + \lambda (|\mathcal{H}| + \alpha_0 N)^{\nu}
        \mathbf{I} \Big)^{-1} \sum_{h \in \mathcal{H}} \mathbf{x}_h

    Args:
        item: :math:`\mathbf{X}`, ``[N, d]``.
        gram: :math:`\alpha_0 \mathbf{X}^{\top} \mathbf{X}`, of the items of training.
        l2: :math:`\lambda`.
        nu: :math:`\nu`.
        alpha0_items: :math:`\alpha_0 N`.
    """

    item: Array
    gram: Array
    l2: float
    nu: float
    alpha0_items: float

    def vector(self, history: Sequence[int]) -> Array:
        """The vector ``[d]`` of a history."""
        return np.asarray(self.parts(history).sum(axis=0))

    def parts(self, history: Sequence[int]) -> Array:
        """What each item of a history adds to the vector, ``[n, d]``, given the others."""
        taken = np.asarray(self.item[np.asarray(history, dtype=np.int64)], dtype=np.float64)
        l2 = self.l2 * (len(taken) + self.alpha0_items) ** self.nu
        system = self.gram + taken.T @ taken + l2 * np.eye(self.gram.shape[0])
        return np.linalg.solve(system, taken.T).T.astype(np.float32)

    def extended(self, rows: Array) -> "SolvedFoldIn":
        """With items added, which count where they are taken."""
        item = np.concatenate([self.item, rows])
        return SolvedFoldIn(item, self.gram, self.l2, self.nu, self.alpha0_items)


FoldIn = LinearFoldIn | SolvedFoldIn


def read_fold_in(artefact: Artefact, note: Mapping[str, Any], item: Array) -> FoldIn:
    """How the artefact says that new users get their vectors.

    Args:
        artefact: what was opened.
        note: its ``about["fold_in"]``.
        item: vectors of the items, ``[N, d]``.
    """
    num_items, width = item.shape
    if note["kind"] == "solved":
        gram = artefact.array("fold_in_gram", width, width)
        return SolvedFoldIn(item, gram, note["l2"], note["nu"], note["alpha0_items"])
    terms = note["terms"]
    return LinearFoldIn(
        tuple(artefact.array(f"fold_in_{i}", num_items, width) for i in range(len(terms))),
        tuple(term["shift"] for term in terms),
        tuple(term["power"] for term in terms),
        artefact.array("fold_in_constant", width),
    )
