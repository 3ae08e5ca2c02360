from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.content_rows import content_rows
from crane_pyg.nn.linear import EASE, LocalEASE
from crane_pyg.nn.scorer import Quality, Scorer


class Residual(torch.nn.Module):
    r"""Adds to a model's scores what the interactions alone say, as a linear item-item model reads
    them.

    .. math::
        (1 - \alpha) \, \frac{\hat{y}_{ui} - \mu_u}{\sigma_u}
        + \alpha \, \frac{\hat{r}_{ui} - \mu'_u}{\sigma'_u}

    Both are standardised over the catalogue of each user. It takes no part in training: the closed
    form has seen every pair that a loss would ask for, and would explain them all. Once the model
    is trained, :meth:`calibrate` chooses :math:`\alpha` and the ridge on validation, and whether
    items' features explain them too (:func:`~crane_pyg.nn.content_rows`); where it does not help,
    :math:`\alpha` is zero and nothing is kept.

    Args:
        linear: an :class:`~crane_pyg.nn.linear.EASE`, perhaps local, that gives
            :math:`\hat{r}`.
        content (iterable of str): names of the modalities whose features may explain items.
            (default: none)

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import Residual
        >>> from crane_pyg.nn.linear import EASE
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import evaluate, evaluate_scorers
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model, residual = LightGCN.from_data(data), Residual(EASE(200))
        >>> before, own = evaluate(model, data)["Recall@20"], model.scorer(data)
        >>> def quality(scorers):
        ...     return [found["Recall@20"] for found in evaluate_scorers(scorers, data)]
        >>> after = residual.calibrate(data, own, quality)
        >>> after > before, residual
        (True, Residual(EASE, share=0.8))
    """

    SHARES: ClassVar[tuple[float, ...]] = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)
    """What is tried for :math:`\alpha`, beside zero."""
    L2S: ClassVar[tuple[float, ...]] = (10.0, 50.0, 200.0, 800.0)
    """What is tried for the ridge, from the second on in the direction in which it rises."""
    CONTENT: ClassVar[float] = 10.0
    """What is tried for the weight of the features, beside zero."""
    chosen: ClassVar[tuple[str, ...]] = ("linear.l2",)
    """What :meth:`calibrate` sets beside tensors, and so does not tell one model from another."""

    share: Tensor

    def __init__(self, linear: EASE | LocalEASE, content: Iterable[str] = ()) -> None:
        super().__init__()
        self.linear = linear
        self.content = tuple(content)
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
        return self._mixes(data, own, [float(self.share)])[0]

    @torch.no_grad()
    def calibrate(self, data: HeteroData, own: Scorer, quality: Quality) -> float:
        """Choose the ridge and whether features count by how good the residual is alone, and then
        its share.

        Args:
            data: the graph.
            own: the model's own scores of some users.
            quality: the validation scores of scorers.

        Returns:
            the validation score reached, that of the model without a residual at least.
        """
        self.reset_parameters()
        self._solve_best(data, quality)
        shares = (0.0, *self.SHARES)
        found = dict(zip(shares, quality(self._mixes(data, own, shares)), strict=True))
        chosen = max(found, key=found.__getitem__)
        self.share.fill_(chosen)
        if chosen == 0:
            self.linear.reset_parameters()
        return found[chosen]

    def _solve_best(self, data: HeteroData, quality: Quality) -> None:
        best, top, weights = 0.0, float("-inf"), self.linear.state_dict()
        solve = self.linear.solver(data)

        def is_better(l2: float, features: Tensor | None = None) -> bool:
            nonlocal best, top, weights
            self.linear.l2 = l2
            solve(features)
            (score,) = quality([lambda user: _standardised(self.linear(data, user))])
            if score <= top:
                return False
            best, top, weights = l2, score, self.linear.state_dict()
            return True

        middle = (len(self.L2S) - 1) // 2
        for way in (self.L2S[middle:], self.L2S[:middle][::-1]):
            for l2 in way:
                if not is_better(l2):
                    break
            if best > self.L2S[middle]:
                break  # it has one peak, and that lies on this side
        if self.content:
            is_better(best, content_rows(data, self.content, self.CONTENT))
        self.linear.l2 = best
        self.linear.load_state_dict(weights)

    def _mixes(self, data: HeteroData, own: Scorer, shares: Sequence[float]) -> list[Scorer]:
        """A scorer for each share. Users whom one has just scored, another does not score anew."""
        parts = _Parts(own, partial(self.linear, data))
        return [own if share == 0 else partial(parts.mixed, share) for share in shares]

    def __repr__(self) -> str:
        linear = self.linear.__class__.__name__  # whose ridge is chosen with the share
        return f"{self.__class__.__name__}({linear}, share={float(self.share):g})"


class _Parts:
    """Standardised scores of the users last asked for."""

    def __init__(self, own: Scorer, linear: Scorer) -> None:
        self.own, self.linear = own, linear
        self.user: Tensor | None = None

    def mixed(self, share: float, user: Tensor) -> Tensor:
        if user is not self.user:
            self.one = _standardised(self.own(user).float())
            self.other = _standardised(self.linear(user))
            self.user = user
        return torch.lerp(self.one, self.other, share)


def _standardised(score: Tensor) -> Tensor:
    """Each row less its mean, over its deviation; zeros where all are equal."""
    score = score - score.mean(1, keepdim=True)
    deviation = score.square().mean(1, keepdim=True).sqrt()
    return score / deviation.masked_fill(deviation == 0, 1)
