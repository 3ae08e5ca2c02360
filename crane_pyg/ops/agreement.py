"""How far features and interactions say the same."""

from typing import NamedTuple

from torch import Tensor

from crane_pyg.ops.knn.similarity import unit_rows
from crane_pyg.ops.sparse import CSRGraph, spmm


class Agreement(NamedTuple):
    """Cosines of items: of two that one user took, and of two drawn by popularity alone."""

    same: float
    chance: float
    variance: float

    @property
    def evidence(self) -> float:
        r"""What a cosine of one says for a common user, in nats, 0 where it says nothing.

        Were both kinds of cosines normal with the same variance, the logarithm of their likelihood
        ratio would grow by :math:`(\mu_{same} - \mu_{chance}) / \sigma^2` per unit of cosine. Sums
        over modalities weighed by it are naive Bayes.
        """
        gap = self.same - self.chance
        return gap / self.variance if gap > 0 and self.variance > 1e-12 else 0.0


def feature_agreement(x: Tensor, to_user: CSRGraph, mask: Tensor | None = None) -> Agreement:
    r"""Compare the items of one user with items drawn by popularity, over all pairs of either.

    An interaction counts once, and so does a pair of interactions drawn by popularity; an item
    beside itself is left out. Costs one sparse product and :math:`N d^2`.

    Args:
        x (Tensor): ``[N, d]`` features; only their directions matter.
        to_user: item-to-user edges with weights of one.
        mask (Tensor, optional): ``[N]`` bool, false where an item lacks the features.

    Raises:
        ValueError: if the rows of ``x`` are not the graph's sources.
    """
    x = unit_rows(x) if mask is None else unit_rows(x).masked_fill(~mask.unsqueeze(1), 0)
    length = x.any(dim=1, keepdim=True).to(x.dtype)  # [N, 1], one or zero
    taken = spmm(to_user, length)  # [M, 1], items of each user that have features
    pairs = spmm(to_user, x).square().sum(1, keepdim=True) - taken  # cosines summed, both ways
    several = taken > 1
    same = (pairs[several] / (taken[several] - 1)).sum() / taken[several].sum().clamp(min=1)

    popularity = length * to_user.transpose().in_degree.unsqueeze(1)
    popularity = popularity / popularity.sum().clamp(min=1)  # [N, 1]
    itself = popularity.square().sum()
    distinct = (1 - itself).clamp(min=1e-12)
    chance = ((popularity * x).sum(0).square().sum() - itself) / distinct
    square = ((x.T @ (popularity * x)).square().sum() - itself) / distinct
    variance = square - chance.square()
    return Agreement(float(same), float(chance), float(variance))
