from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.linear import EASE, LocalEASE

Scorer = Callable[[Tensor], Tensor]


class Residual(torch.nn.Module):
    r"""Adds to a model's scores what the interactions alone say, as a linear item-item model reads
    them.

    .. math::
        (1 - \alpha) \, \frac{\hat{y}_{ui} - \mu_u}{\sigma_u}
        + \alpha \, \frac{\hat{r}_{ui} - \mu'_u}{\sigma'_u}

    Both are standardised over the catalogue of each user. It takes no part in training: the closed
    form has seen every pair that a loss would ask for, and would explain them all. Once the model
    is trained, :meth:`calibrate` chooses :math:`\alpha` and the ridge on validation; where it does
    not help, :math:`\alpha` is zero and nothing is kept.

    Args:
        linear: an :class:`~crane_pyg.nn.linear.EASE`, perhaps local, that gives
            :math:`\hat{r}`.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import Residual
        >>> from crane_pyg.nn.linear import EASE
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import evaluate
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model, residual = LightGCN.from_data(data), Residual(EASE(200))
        >>> before = evaluate(model, data)["Recall@20"]
        >>> own = model.scorer(data)
        >>> model.scorer = lambda data: residual(data, own)
        >>> after = residual.calibrate(data, lambda: evaluate(model, data)["Recall@20"])
        >>> after > before, residual
        (True, Residual(EASE, share=0.8))
    """

    SHARES: ClassVar[tuple[float, ...]] = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)
    """What is tried for :math:`\alpha`, beside zero."""
    L2S: ClassVar[tuple[float, ...]] = (10.0, 50.0, 200.0, 800.0)
    """What is tried for the ridge."""
    chosen: ClassVar[tuple[str, ...]] = ("linear.l2",)
    """What :meth:`calibrate` sets beside tensors, and so does not tell one model from another."""

    share: Tensor

    def __init__(self, linear: EASE | LocalEASE) -> None:
        super().__init__()
        self.linear = linear
        self.register_buffer("share", torch.zeros(()))

    def reset_parameters(self) -> None:
        self.share.zero_()
        self.linear.reset_parameters()

    def forward(self, data: HeteroData, own: Scorer) -> Scorer:
        """How users score the catalogue with the residual added.

        Args:
            data: the graph.
            own: the model's own scores of some users.

        Returns:
            the same function where the share is zero, else one that mixes.

        Shapes:
            - **own:** users ``[B]`` to ``[B, N]``
            - **output:** likewise
        """
        share = float(self.share)
        if share == 0:
            return own
        return lambda user: torch.lerp(
            _standardised(own(user).float()), _standardised(self.linear(data, user)), share
        )

    @torch.no_grad()
    def calibrate(self, data: HeteroData, quality: Callable[[], float]) -> float:
        """Choose the ridge by how good the residual is alone, and then its share.

        Args:
            data: the graph.
            quality: the validation score of the model that this is a part of, as it stands.

        Returns:
            the validation score reached, that of the model without a residual at least.
        """
        self.reset_parameters()
        found = {0.0: quality()}
        self.share.fill_(1)
        alone = {}
        for l2 in self.L2S:
            self._solve(data, l2)
            alone[l2] = quality()
            if alone[l2] < max(alone.values()):
                break  # it has one peak
        best = max(alone, key=alone.__getitem__)
        if best != self.linear.l2:
            self._solve(data, best)
        for share in self.SHARES:
            self.share.fill_(share)
            found[share] = quality()
        chosen = max(found, key=found.__getitem__)
        self.share.fill_(chosen)
        if chosen == 0:
            self.linear.reset_parameters()
        return found[chosen]

    def _solve(self, data: HeteroData, l2: float) -> None:
        self.linear.l2 = l2
        self.linear.solve(data)

    def __repr__(self) -> str:
        linear = self.linear.__class__.__name__  # whose ridge is chosen with the share
        return f"{self.__class__.__name__}({linear}, share={float(self.share):g})"


def _standardised(score: Tensor) -> Tensor:
    """Each row less its mean, over its deviation; zeros where all are equal."""
    score = score - score.mean(1, keepdim=True)
    deviation = score.square().mean(1, keepdim=True).sqrt()
    return score / deviation.masked_fill(deviation == 0, 1)
