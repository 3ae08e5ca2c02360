from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.nn.objectives.losses import Reduction, reduce_loss
from crane_pyg.nn.objectives.negatives import MAX_NEGATIVES, Compared, Negatives, cost_of_rows
from crane_pyg.nn.objectives.ranking import RankingLoss, Triplets
from crane_pyg.ranges import check_range


@dataclass(frozen=True)
class CosineContrastive(RankingLoss):
    r"""The loss of `"SimpleX: A Simple and Strong Baseline for Collaborative Filtering"
    <https://arxiv.org/abs/2109.12613>`_.

    .. math::
        1 - \cos(\mathbf{z}_u, \mathbf{z}_i) + \frac{\mu}{|\mathcal{N}|} \sum_{j \in \mathcal{N}}
        \max(0, \cos(\mathbf{z}_u, \mathbf{z}_j) - m)

    The paper draws hundreds of negatives for each row. Training here draws one, so that by default
    all rows share those of the batch. Where a row meets its own positive in :math:`\mathcal{N}`, it
    is left out; other items that the user took stay, see
    :func:`~crane_pyg.nn.objectives.compare`. A row without negatives has the first terms alone.

    Args:
        margin: :math:`m`; negatives that are no more similar do not count. (default: ``0.4``)
        negative_weight: :math:`\mu`. (default: ``10``)
        negatives: :math:`\mathcal{N}`. ``'shared'``: the batch's distinct negatives, for all rows;
            ``'batch'``: the other rows' distinct positives; ``'row'``: the row's own negatives.
            (default: ``'shared'``)
        reduction: ``'mean'`` or ``'sum'`` over the batch. (default: ``'mean'``)
        max_negatives: how many negatives rows share at most, see
            :func:`~crane_pyg.nn.objectives.compare`. (default: ``1024``)

    Raises:
        ValueError: if a choice is unknown, the margin is no cosine, the weight is negative, or
            ``max_negatives`` is below 1.
    """

    name: ClassVar[str] = "ccl"
    similarity = "cosine"
    margin: float = 0.4
    negative_weight: float = 10.0
    negatives: Negatives = "shared"
    reduction: Reduction = "mean"
    max_negatives: int = MAX_NEGATIVES

    def __post_init__(self) -> None:
        check_choice("negatives", self.negatives, Negatives)
        check_range("max_negatives", self.max_negatives)
        check_choice("reduction", self.reduction, Reduction)
        if not -1 <= self.margin <= 1:
            raise ValueError(f"margin must lie between -1 and 1 (got {self.margin})")
        if not self.negative_weight >= 0:
            raise ValueError(f"negative_weight must not be negative (got {self.negative_weight})")

    def __call__(self, batch: Triplets) -> Tensor:
        costs = cost_of_rows(batch, self.negatives, self.max_negatives, self.similarity, self._cost)
        return reduce_loss(costs, self.reduction)

    def _cost(self, compared: Compared) -> Tensor:
        pos, neg, hidden, _ = compared
        excess = F.relu(neg - self.margin).masked_fill(hidden, 0).sum(1)
        mean = excess / (~hidden).sum(1).clamp(min=1)
        return 1 - pos + self.negative_weight * mean
