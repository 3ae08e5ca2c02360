from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from crane_pyg.nn.conv import UserProfile
from crane_pyg.nn.objectives import RankingLoss, SampledSoftmax
from crane_pyg.nn.scorer import Quality, Scorer
from crane_pyg.ops import CSRGraph, some_of, unit_rows

MOST_COMPARED = 4096
RATE, STEPS = 3.0, 4
"""What brings new users within 5% of trained ones on three data sets (``benchmarks/results``)."""
_BLOCK = 4096  # users at a time


class HistoryFit(torch.nn.Module):
    r"""Fits users' vectors to what they took, their items as they are.

    .. math::
        \mathbf{z}_u \leftarrow \mathbf{z}_u + \frac{\rho \tau}{m} \Big( \frac{1}{|\mathcal{H}_u|}
        \sum_{h \in \mathcal{H}_u} \mathbf{x}_h - \sum_{j \in \mathcal{C}} p_{uj} \mathbf{x}_j
        \Big), \qquad p_u = \mathrm{softmax}(\mathbf{X}_{\mathcal{C}} \mathbf{z}_u / \tau)

    Steps up the gradient of the mean log-likelihood of a history under the softmax over
    :math:`\mathcal{C}`, at most 4,096 items, always the same; :math:`m` is the mean square of their
    vectors. Where cosines are compared, steps are on the sphere, and vectors end as long as they
    were.

    It is how new users get theirs. Training hears of a user now and then, against a sample that
    changes, and of one with few items too seldom; so :meth:`calibrate` tries on validation whether
    users whom it knows had better be treated as new ones, too.

    Args:
        ranking: the loss of training; its similarity and temperature are the softmax's.

    Attributes:
        steps: for users whom training knows; zero leaves them as training did.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn import HistoryFit, SampledSoftmax
        >>> from crane_pyg.ops import csr_graph
        >>> taken = csr_graph(torch.tensor([[0, 2], [0, 1]]), size=(5, 2)).unweighted()
        >>> fit = HistoryFit(SampledSoftmax())
        >>> fit.steps.fill_(4)
        tensor(4)
        >>> fit(torch.randn(2, 8), torch.randn(5, 8), taken).shape
        torch.Size([2, 8])
    """

    TRIED: ClassVar[tuple[int, ...]] = (STEPS, 2 * STEPS)
    """What is tried for :attr:`steps`, beside zero."""

    steps: Tensor

    def __init__(self, ranking: RankingLoss) -> None:
        super().__init__()
        self.on_sphere = ranking.similarity == "cosine"
        self.temperature = temperature_of(ranking)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def reset_parameters(self) -> None:
        self.steps.zero_()

    @torch.no_grad()
    def forward(self, start: Tensor, item: Tensor, taken: CSRGraph) -> Tensor:
        """The users' vectors.

        Args:
            start (Tensor): to begin with.
            item (Tensor): vectors of the items.
            taken: item-to-user edges, without weights.

        Shapes:
            - **start**, **output:** ``[M, d]``, **item:** ``[N, d]``
        """
        z, item = start.float(), item.float()
        if self.on_sphere:
            z, item = unit_rows(z), unit_rows(item)
        compared = item[compared_items(item.size(0)).to(item.device)]
        liked = UserProfile("mean")(item, taken)
        square = compared.square().sum(1).mean().clamp(min=1e-12)
        size = RATE * self.temperature / square
        blocks = []
        for x, likes in zip(torch.split(z, _BLOCK), torch.split(liked, _BLOCK), strict=True):
            for _ in range(int(self.steps)):
                weight = (x @ compared.T / self.temperature).softmax(1)
                pull = likes - weight @ compared
                if self.on_sphere:
                    pull = pull - x * (x * pull).sum(1, keepdim=True)
                x = x + size * pull
                x = unit_rows(x) if self.on_sphere else x
            blocks.append(x)
        found = torch.cat(blocks)
        return found * start.norm(dim=1, keepdim=True) if self.on_sphere else found

    def calibrate(self, scorer: Callable[[], Scorer], quality: Quality) -> tuple[float, Scorer]:
        """Choose :attr:`steps`.

        Args:
            scorer: gives how the model that this is a part of scores as it stands.
            quality: the validation scores of scorers.

        Returns:
            the validation score reached, and how the model then scores.
        """
        scorers = {}
        for steps in (0, *self.TRIED):
            self.steps.fill_(steps)
            scorers[steps] = scorer()
        found = dict(zip(scorers, quality([*scorers.values()]), strict=True))
        chosen = max(found, key=found.__getitem__)
        self.steps.fill_(chosen)
        return found[chosen], scorers[chosen]

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(steps={int(self.steps)})"


def temperature_of(ranking: RankingLoss | None) -> float:
    """Of the softmax that stands for a loss: its own, where it is one; else 0.2 for cosines and 1
    for inner products.

    Args:
        ranking: the loss.
    """
    if isinstance(ranking, SampledSoftmax) and ranking.temperature is not None:
        return ranking.temperature
    return 1.0 if ranking is None or ranking.similarity == "inner" else 0.2


def compared_items(num_items: int) -> Tensor:
    r"""The items of :math:`\mathcal{C}`, ``[min(N, 4096)]``.

    Args:
        num_items (int): :math:`N`.
    """
    return some_of(torch.arange(num_items), MOST_COMPARED)
