"""Ranking and contrastive losses (paper, eq. 18-19)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.ops import unit_rows


def bpr_loss(pos_score: Tensor, neg_score: Tensor, *, reduction: str = "mean") -> Tensor:
    r"""Bayesian personalised ranking, :math:`-\log \sigma(\hat{y}_{ui} - \hat{y}_{uj})` (eq. 18).

    Args:
        pos_score (Tensor): scores of observed pairs.
        neg_score (Tensor): scores of sampled pairs, same shape.
        reduction: ``'mean'``, ``'sum'`` (the paper's letter) or ``'none'``.

    Raises:
        ValueError: if the shapes differ or the reduction is unknown.
    """
    if pos_score.shape != neg_score.shape:
        raise ValueError(
            "pos_score and neg_score must have one shape "
            f"(got {list(pos_score.shape)} and {list(neg_score.shape)})"
        )
    return _reduce(F.softplus(neg_score - pos_score), reduction)


def info_nce_loss(
    x: Tensor, y: Tensor, *, temperature: float = 0.2, reduction: str = "mean"
) -> Tensor:
    r"""InfoNCE between two views of the same nodes, by cosine similarity (eq. 19).

    .. math::
        -\log \frac{\exp(\cos(\mathbf{x}_u, \mathbf{y}_u) / \tau)}
                   {\sum_{u'} \exp(\cos(\mathbf{x}_u, \mathbf{y}_{u'}) / \tau)}

    Rows must be distinct nodes: a node that stands twice would be its own negative. A zero row has
    similarity 0 to everything, and a gradient of zero.

    Args:
        x, y (Tensor): ``[n, d]``, row i of both is node i.
        temperature: :math:`\tau > 0`.
        reduction: ``'mean'``, ``'sum'`` (the paper's letter) or ``'none'``.

    Raises:
        ValueError: if the shapes differ, the temperature is not positive or the reduction is
            unknown.
    """
    if x.dim() != 2 or x.shape != y.shape:
        raise ValueError(
            f"x and y must be [n, d] of one shape (got {list(x.shape)} and {list(y.shape)})"
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be positive (got {temperature})")
    logits = (unit_rows(x) / temperature) @ unit_rows(y).T
    itself = torch.arange(x.size(0), device=x.device)
    return _reduce(F.cross_entropy(logits, itself, reduction="none"), reduction)


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none' (got {reduction!r})")
    total = loss.sum()
    return total / max(1, loss.numel()) if reduction == "mean" else total
