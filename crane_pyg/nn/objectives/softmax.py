from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.nn.objectives.cross_entropy import CrossEntropy
from crane_pyg.nn.objectives.losses import Reduction, reduce_loss
from crane_pyg.nn.objectives.negatives import MAX_NEGATIVES, Compared, Negatives, cost_of_rows
from crane_pyg.nn.objectives.ranking import RankingLoss, Similarity, Triplets
from crane_pyg.ranges import check_range


@dataclass(frozen=True)
class SampledSoftmax(RankingLoss):
    r"""Cross entropy of each row's positive against a sample of the catalogue.

    .. math::
        -\log \frac{\exp(s_{ui} / \tau)}{\exp(s_{ui} / \tau)
        + \sum_{j \in \mathcal{N} \setminus i} c_j \exp(s_{uj} / \tau)}

    Softmax over a sample is from `"On Using Very Large Target Vocabulary for Neural Machine
    Translation" <https://arxiv.org/abs/1412.2007>`_; with cosines and a temperature it is what `"On
    the Effectiveness of Sampled Softmax Loss for Item Recommendation"
    <https://arxiv.org/abs/2201.02327>`_ trains LightGCN with.

    Where a row meets its own positive in :math:`\mathcal{N}`, it is left out. Other items that the
    user took stay, see :func:`~crane_pyg.nn.objectives.compare`. A row without negatives costs 0.

    Args:
        temperature: :math:`\tau`. (default: ``0.2`` for cosines, ``1`` for inner products)
        negatives: :math:`\mathcal{N}`. ``'shared'``: the batch's distinct negatives, for all rows;
            ``'batch'``: the other rows' positives; ``'row'``: the row's own negatives.
            (default: ``'shared'``)
        similarity: :math:`s`, ``'cosine'`` or ``'inner'``. (default: ``'cosine'``)
        correction: whether the popular are no more negatives than others, with ``'batch'``. Without
            it, :math:`c_j` is the number of rows with positive :math:`j`, so that what is popular
            is pushed down for it. `"Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
            Recommendations" <https://dl.acm.org/doi/10.1145/3298689.3346996>`_ takes the logarithm
            of the sampling probability off each logit. Here it is estimated by the item's share
            of the batch, where the paper keeps a running estimate, and taken off negatives alone,
            as the positive is not sampled: that comes to :math:`c_j = 1`. An item too rare to be in
            the batch is not made up for. (default: ``False``)
        reduction: ``'mean'`` or ``'sum'`` over the batch. (default: ``'mean'``)
        max_negatives: how many negatives rows share at most, see
            :func:`~crane_pyg.nn.objectives.compare`. (default: ``1024``)

    Raises:
        ValueError: if a choice is unknown, the temperature is not positive, ``max_negatives`` is
            below 1, or negatives that are not the batch's positives shall be corrected.
    """

    name: ClassVar[str] = "softmax"
    temperature: float | None = None
    negatives: Negatives = "shared"
    similarity: Similarity = "cosine"
    correction: bool = False
    reduction: Reduction = "mean"
    max_negatives: int = MAX_NEGATIVES

    def __post_init__(self) -> None:
        check_choice("negatives", self.negatives, Negatives)
        check_range("max_negatives", self.max_negatives)
        check_choice("similarity", self.similarity, Similarity)
        check_choice("reduction", self.reduction, Reduction)
        if self.temperature is None:
            object.__setattr__(self, "temperature", 0.2 if self.similarity == "cosine" else 1.0)
        assert self.temperature is not None
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive (got {self.temperature})")
        if self.correction and self.negatives != "batch":
            raise ValueError(
                "correction must be of negatives='batch': others are drawn uniformly "
                f"(got negatives={self.negatives!r})"
            )

    def __call__(self, batch: Triplets) -> Tensor:
        costs = cost_of_rows(batch, self.negatives, self.max_negatives, self.similarity, self._cost)
        return reduce_loss(costs, self.reduction)

    def _cost(self, compared: Compared) -> Tensor:
        assert self.temperature is not None
        pos, neg, hidden, times = compared
        if neg.dtype in (torch.float16, torch.bfloat16):
            pos, neg = pos.float(), neg.float()
        if self.negatives == "batch" and not self.correction:
            neg = neg + self.temperature * times.to(neg.dtype).log()
        costs: Tensor = CrossEntropy.apply(pos, neg, hidden, 1 / self.temperature)  # type: ignore[no-untyped-call]
        return costs
