from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.content_rows import content_rows
from crane_pyg.nn.linear import EASE, LocalEASE
from crane_pyg.nn.scorer import Quality, Scorer

Linear = EASE | LocalEASE
ResidualName = Literal["auto", "ease", "ease-local"]
RESIDUALS: dict[ResidualName, tuple[type[Linear], ...]] = {
    "auto": (LocalEASE, EASE),
    "ease": (EASE,),
    "ease-local": (LocalEASE,),
}


class Residual(torch.nn.Module):
    r"""Adds to a model's scores what the interactions alone say, as a linear item-item model reads
    them.

    .. math::
        (1 - \alpha_u) \, \frac{\hat{y}_{ui} - \mu_u}{\sigma_u}
        + \alpha_u \, \frac{\hat{r}_{ui} - \mu'_u}{\sigma'_u}, \qquad
        \alpha_u = \alpha \, \frac{|\mathcal{N}(u)|}{|\mathcal{N}(u)| + 8}

    Both are standardised over the catalogue of each user. The fewer items a user took, the less
    :math:`\alpha_u`: of them the model has learned more than their items say. The residual takes no
    part in training: the closed form has seen every pair that a loss would ask for, and would
    explain them all. Once the model is trained, :meth:`calibrate` chooses :math:`\alpha` and the
    ridge on validation, whether items' features explain them too
    (:func:`~crane_pyg.nn.content_rows`), whether its weights are sharpened
    (:meth:`~crane_pyg.nn.linear.EASE.sharpen`), so that the few items that say most are heard above
    the many, of which the model has learned, and which of several linear models it is; where it
    does not help, :math:`\alpha` is zero and nothing is kept.

    Args:
        linear: an :class:`~crane_pyg.nn.linear.EASE`, perhaps local, that gives
            :math:`\hat{r}`.
        *others: what is tried in its place where it helps more than a little, with its ridge.
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
        (True, Residual(EASE, share=1))
    """

    HALF_AT: ClassVar[float] = 8.0
    """How many items a user must have taken for half of :math:`\alpha`."""
    SHARES: ClassVar[tuple[float, ...]] = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
    """What is tried for :math:`\alpha`, beside zero."""
    L2S: ClassVar[tuple[float, ...]] = (10.0, 50.0, 200.0, 800.0)
    """What is tried for the ridge, from the second on in the direction in which it rises."""
    CONTENT: ClassVar[float] = 10.0
    """What is tried for the weight of the features, beside zero."""
    POWER: ClassVar[float] = 1.5
    """What the weights are raised to, if that is better."""
    LEAST: ClassVar[float] = 0.2
    """The share from which on the other linear models are tried: less is not worth a matrix of the
    items."""
    DENSE: ClassVar[int] = 1 << 28
    """Weights of a dense model that may be tried in a local one's place: a gigabyte."""

    share: Tensor

    def __init__(self, linear: Linear, *others: Linear, content: Iterable[str] = ()) -> None:
        super().__init__()
        self.linears = torch.nn.ModuleList([linear, *others])
        self.content = tuple(content)
        self.register_buffer("share", torch.zeros(()))

    @property
    def chosen(self) -> tuple[str, ...]:
        """What :meth:`calibrate` sets beside tensors, and so does not tell one model from
        another."""
        return tuple(f"linears.{number}.l2" for number in range(len(self.linears)))

    @property
    def linear(self) -> Linear:
        """The one that is used."""
        linears = self._all()
        return next((linear for linear in linears if linear.solved), linears[0])

    def reset_parameters(self) -> None:
        self.share.zero_()
        for linear in self._all():
            linear.reset_parameters()

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
        return self._mixes(data, own, self.linear, [float(self.share)])[0]

    @torch.no_grad()
    def calibrate(self, data: HeteroData, own: Scorer, quality: Quality) -> float:
        """Choose the ridge and whether features count by how good the residual is alone, then its
        share and whether its weights are sharpened, and unless the share is small, the linear model
        with which the mix is best.

        Args:
            data: the graph.
            own: the model's own scores of some users.
            quality: the validation scores of scorers.

        Returns:
            the validation score reached, that of the model without a residual at least.
        """
        self.reset_parameters()
        first, *others = self._all()
        features = self._solve_best(first, data, quality)
        best, shares = first, (0.0, *self.SHARES)

        def tried(linear: Linear) -> tuple[float, float]:
            score = quality(self._mixes(data, own, linear, shares))
            return max(zip(score, shares, strict=True), key=lambda found: found[0])

        score, share = tried(first)
        is_sharp = False
        if share > 0:
            weights = first.state_dict()
            first.sharpen(self.POWER)
            found = tried(first)
            is_sharp = found[0] > score
            if is_sharp:
                score, share = found
            else:
                first.load_state_dict(weights)
        for other in others:
            is_large = isinstance(other, EASE) and other.num_items**2 > self.DENSE
            if share < self.LEAST or is_large:
                continue
            other.l2 = first.l2
            other.solve(data, features)
            if is_sharp:
                other.sharpen(self.POWER)
            found = tried(other)
            if found[0] > score:
                best, (score, share) = other, found
        self.share.fill_(share)
        for linear in (first, *others):
            if share == 0 or linear is not best:
                linear.reset_parameters()
        return score

    def _solve_best(self, linear: Linear, data: HeteroData, quality: Quality) -> Tensor | None:
        """Solve with the best ridge, and with the features that are returned if they are better."""
        best, top, weights = 0.0, float("-inf"), linear.state_dict()
        solve = linear.solver(data)

        def is_better(l2: float, features: Tensor | None = None) -> bool:
            nonlocal best, top, weights
            linear.l2 = l2
            solve(features)
            (score,) = quality([lambda user: _standardised(linear(data, user))])
            if score <= top:
                return False
            best, top, weights = l2, score, linear.state_dict()
            return True

        middle = (len(self.L2S) - 1) // 2
        for way in (self.L2S[middle:], self.L2S[:middle][::-1]):
            for l2 in way:
                if not is_better(l2):
                    break
            if best > self.L2S[middle]:
                break  # it has one peak, and that lies on this side
        features = content_rows(data, self.content, self.CONTENT) if self.content else None
        if features is not None and not is_better(best, features):
            features = None
        linear.l2 = best
        linear.load_state_dict(weights)
        return features

    def _mixes(
        self, data: HeteroData, own: Scorer, linear: Linear, shares: Sequence[float]
    ) -> list[Scorer]:
        """A scorer for each share. Users whom one has just scored, another does not score anew."""
        parts = _Parts(own, partial(linear, data), partial(self._trust, data, linear))
        return [own if share == 0 else partial(parts.mixed, share) for share in shares]

    def _trust(self, data: HeteroData, linear: Linear, user: Tensor) -> Tensor:
        r"""What :math:`\alpha` is multiplied by, ``[B, 1]``."""
        length = linear.taken(data).in_degree[user].float().unsqueeze(1)
        return length / (length + self.HALF_AT)

    def _all(self) -> list[Linear]:
        return cast(list[Linear], [*self.linears])

    def __repr__(self) -> str:
        linear = self.linear.__class__.__name__  # whose ridge is chosen with the share
        return f"{self.__class__.__name__}({linear}, share={float(self.share):g})"


class _Parts:
    """Standardised scores of the users last asked for, and how far the second are trusted."""

    def __init__(self, own: Scorer, linear: Scorer, trust: Scorer) -> None:
        self.own, self.linear, self.trust_in = own, linear, trust
        self.user: Tensor | None = None

    def mixed(self, share: float, user: Tensor) -> Tensor:
        if user is not self.user:
            self.one = _standardised(self.own(user).float())
            self.other = _standardised(self.linear(user))
            self.trust = self.trust_in(user)
            self.user = user
        return torch.lerp(self.one, self.other, share * self.trust)


def _standardised(score: Tensor) -> Tensor:
    """Each row less its mean, over its deviation; zeros where all are equal."""
    score = score - score.mean(1, keepdim=True)
    deviation = score.square().mean(1, keepdim=True).sqrt()
    return score / deviation.masked_fill(deviation == 0, 1)
