from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array


class Fitted(NamedTuple):
    r"""A vector that was fitted to a history, and how much of it is of what.

    Args:
        vector: ``[d]``.
        start: how much of it is the vector that fitting started from.
        taken: how much of it is the mean of what was taken; what is left, the rest of the catalogue
            took off.
    """

    vector: Array
    start: float
    taken: float


@dataclass(frozen=True)
class HistoryFit:
    r"""Moves the vector of somebody new to where training would have moved it: towards what they
    took, and away from the rest of the catalogue.

    .. math::
        \mathbf{z} \leftarrow \mathbf{z} + \frac{\rho \tau}{m} \Big( \frac{1}{|\mathcal{H}|}
        \sum_{h \in \mathcal{H}} \mathbf{x}_h - \sum_{j \in \mathcal{C}} p_j \mathbf{x}_j \Big),
        \qquad p = \mathrm{softmax}(\mathbf{X}_{\mathcal{C}} \mathbf{z} / \tau)

    Steps up the gradient of the mean log-likelihood of the history, under the softmax over
    :math:`\mathcal{C}`, some of the items, always the same; :math:`m` is the mean square of their
    vectors. Where cosines are compared, steps are on the sphere.

    Args:
        compared: :math:`\mathbf{X}_{\mathcal{C}}`, ``[C, d]``; of length one, where cosines are
            compared.
        temperature: :math:`\tau`.
        rate: :math:`\rho`.
        steps: how many.
        on_sphere: whether cosines are compared.
        of_known_users: whether the vectors of users whom training knows were made so, too.
    """

    compared: Array
    temperature: float
    rate: float
    steps: int
    on_sphere: bool
    of_known_users: bool = False

    def __call__(self, vector: Array, taken: Array) -> Fitted:
        """Fit the vector of somebody new.

        Args:
            vector: ``[d]``, to start from; of length one, where cosines are compared.
            taken: vectors of what they took, ``[n, d]``, as :attr:`compared` has them.
        """
        z, liked = np.asarray(vector, dtype=np.float32), taken.mean(axis=0)
        temperature = np.float32(self.temperature)
        size = np.float32(self.rate * self.temperature / self._square)
        start, of_taken = np.float32(1), np.float32(0)
        for _ in range(self.steps):
            logit = self.compared @ z / temperature
            weight = np.exp(logit - logit.max())
            pull = liked - weight @ self.compared / weight.sum()
            kept = 1 - size * (z @ pull) if self.on_sphere else np.float32(1)
            z = kept * z + size * pull
            length = (np.linalg.norm(z) or 1) if self.on_sphere else np.float32(1)
            z = z / length
            start, of_taken = start * kept / length, (of_taken * kept + size) / length
        return Fitted(z, float(start), float(of_taken))

    @cached_property
    def _square(self) -> float:
        return float(np.square(self.compared).sum(axis=1).mean()) or 1.0


def read_history_fit(
    artefact: Artefact, note: Mapping[str, Any], item: Array, on_sphere: bool
) -> HistoryFit | None:
    """What an artefact says of it; ``None`` where the sum over a history is final.

    Args:
        artefact: what was opened.
        note: its ``about["fold_in"]``.
        item: vectors of the items, ``[N, d]``.
        on_sphere: whether cosines are compared.
    """
    if (fit := note.get("fit")) is None:
        return None
    compared = np.asarray(item[artefact.array("fold_in_compared", None)], dtype=np.float32)
    known = bool(fit["of_known_users"])
    return HistoryFit(compared, fit["temperature"], fit["rate"], fit["steps"], on_sphere, known)
