from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.nn.objectives.losses import Reduction, bpr_loss
from crane_pyg.nn.objectives.ranking import RankingLoss, Triplets


@dataclass(frozen=True)
class BPRLoss(RankingLoss):
    """Bayesian personalised ranking, see :func:`~crane_pyg.nn.objectives.bpr_loss`.

    Args:
        reduction: ``'mean'`` or ``'sum'`` over the batch. (default: ``'mean'``)

    Raises:
        ValueError: if the reduction is unknown.
    """

    name: ClassVar[str] = "bpr"
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, Reduction)

    def __call__(self, batch: Triplets) -> Tensor:
        pos, neg = batch.inner
        return bpr_loss(pos, neg, reduction=self.reduction)
