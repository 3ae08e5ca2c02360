import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

from crane_pyg.choices import check_choice, options_of
from crane_pyg.nn.objectives.bpr import BPRLoss
from crane_pyg.nn.objectives.cosine_contrastive import CosineContrastive
from crane_pyg.nn.objectives.losses import Reduction
from crane_pyg.nn.objectives.negatives import MAX_NEGATIVES, Negatives
from crane_pyg.nn.objectives.ranking import RankingLoss, Similarity
from crane_pyg.nn.objectives.softmax import SampledSoftmax
from crane_pyg.ranges import check_range

RankingName = Literal["bpr", "softmax", "ccl"]
RANKING_LOSSES: dict[RankingName, Callable[..., RankingLoss]] = {
    "bpr": BPRLoss,
    "softmax": SampledSoftmax,
    "ccl": CosineContrastive,
}


@dataclass(frozen=True)
class RankingSettings:
    """A ranking loss as commands and files have it: its name, and beside it what the losses take.
    Each loss passes over what is for others.

    Args:
        ranking: ``'bpr'`` (:class:`BPRLoss`), ``'softmax'`` (:class:`SampledSoftmax`) or ``'ccl'``
            (:class:`CosineContrastive`). (default: ``'bpr'``)
        ranking_similarity: of ``'softmax'``, ``'cosine'`` or ``'inner'``; the others have theirs.
            (default: ``'cosine'``)
        ranking_temperature: of ``'softmax'``. (default: ``0.2`` for cosines, ``1`` for inner
            products)
        ranking_negatives: of ``'softmax'`` and ``'ccl'``, ``'shared'``, ``'batch'`` or ``'row'``.
            (default: ``'shared'``)
        ranking_max_negatives: of ``'softmax'`` and ``'ccl'``, how many rows share at most.
            (default: ``1024``)
        ranking_correction: of ``'softmax'``. (default: ``False``)
        ranking_margin: of ``'ccl'``. (default: ``0.4``)
        ranking_negative_weight: of ``'ccl'``. (default: ``10``)

    Raises:
        ValueError: if a choice is unknown, or a number out of range.

    Examples:
        >>> from crane_pyg.nn.objectives import CosineContrastive, RankingSettings
        >>> RankingSettings("ccl", ranking_margin=0.6).ranking_loss() == CosineContrastive(0.6)
        True
    """

    ranking: RankingName = "bpr"
    ranking_similarity: Similarity = "cosine"
    ranking_temperature: float | None = None
    ranking_negatives: Negatives = "shared"
    ranking_max_negatives: int = MAX_NEGATIVES
    ranking_correction: bool = False
    ranking_margin: float = 0.4
    ranking_negative_weight: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(field.name, getattr(self, field.name))
            if options_of(field.type):
                check_choice(field.name, getattr(self, field.name), field.type)

    def ranking_loss(self, reduction: Reduction = "mean") -> RankingLoss:
        """The loss that these settings name.

        Args:
            reduction: ``'mean'`` or ``'sum'`` over the batch. (default: ``'mean'``)

        Raises:
            ValueError: if a setting has a value that the loss cannot have.
        """
        loss = RANKING_LOSSES[self.ranking]
        names = {name: f"ranking_{name}" for name in inspect.signature(loss).parameters}
        given = {name: getattr(self, own) for name, own in names.items() if hasattr(self, own)}
        return loss(**given, reduction=reduction)
