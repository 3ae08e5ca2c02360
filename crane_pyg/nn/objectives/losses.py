"""Losses as functions of scores and embeddings (BPR and InfoNCE are the paper's eq. 18-19)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.ops import unit_rows

Reduction = Literal["mean", "sum", "none"]


def bpr_loss(pos_score: Tensor, neg_score: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""Bayesian personalised ranking, :math:`-\log \sigma(\hat{y}_{ui} - \hat{y}_{uj})` (eq. 18).

    Args:
        pos_score (Tensor): scores of observed pairs.
        neg_score (Tensor): scores of sampled pairs.
        reduction: ``'mean'``, ``'sum'`` (as the paper prints it) or ``'none'``.
            (default: ``'mean'``)

    Shapes:
        - **pos_score**, **neg_score:** of one shape
        - **output:** a number, or that shape with ``'none'``

    Raises:
        ValueError: if the shapes differ or the reduction is unknown.
    """
    if pos_score.shape != neg_score.shape:
        raise ValueError(
            "pos_score and neg_score must have one shape "
            f"(got {list(pos_score.shape)} and {list(neg_score.shape)})"
        )
    return reduce_loss(F.softplus(neg_score - pos_score), reduction)


def info_nce_loss(
    x: Tensor, y: Tensor, *, temperature: float = 0.2, reduction: Reduction = "mean"
) -> Tensor:
    r"""InfoNCE between two views of the same nodes, by cosine similarity (eq. 19).

    .. math::
        -\log \frac{\exp(\cos(\mathbf{x}_u, \mathbf{y}_u) / \tau)}
                   {\sum_{u'} \exp(\cos(\mathbf{x}_u, \mathbf{y}_{u'}) / \tau)}

    Rows must be distinct nodes: a node that stands twice would be its own negative. A zero row has
    similarity 0 to everything, and a gradient of zero.

    Args:
        x, y (Tensor): two views; row i of both is node i.
        temperature: :math:`\tau > 0`. (default: ``0.2``)
        reduction: ``'mean'``, ``'sum'`` (as the paper prints it) or ``'none'``.
            (default: ``'mean'``)

    Shapes:
        - **x**, **y:** ``[n, d]``
        - **output:** a number, or ``[n]`` with ``'none'``

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
    return reduce_loss(F.cross_entropy(logits, itself, reduction="none"), reduction)


def l2_of_batch(*embeddings: Tensor) -> Tensor:
    """Half the squared norm of the batch's embeddings, per row of the batch.

    Args:
        *embeddings (Tensor): those of the batch's users, positive items and negative items.

    Shapes:
        - **embeddings:** ``[B, *]`` each
        - **output:** a number

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import l2_of_batch
        >>> user, item = torch.ones(4, 8), 2 * torch.ones(4, 8)
        >>> l2_of_batch(user, item)
        tensor(20.)
    """
    total = torch.stack([x.square().sum() for x in embeddings]).sum()
    return total / (2 * embeddings[0].size(0))


def norm_of_batch(*embeddings: Tensor) -> Tensor:
    """The norms, not squared, of the whole batch's embeddings over its size, as MMRec has them.

    Args:
        *embeddings (Tensor): those of the batch's users, positive items and negative items.

    Shapes:
        - **embeddings:** ``[B, *]`` each
        - **output:** a number

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import norm_of_batch
        >>> norm_of_batch(torch.ones(4, 4), torch.ones(4, 4))
        tensor(2.)
    """
    total = torch.stack([x.norm() for x in embeddings]).sum()
    return total / embeddings[0].size(0)


def reduce_loss(loss: Tensor, reduction: Reduction) -> Tensor:
    """The mean or the sum of what the rows of a batch cost; of no rows, zero.

    Args:
        loss (Tensor): what each row costs.
        reduction: ``'mean'``, ``'sum'`` or ``'none'``.

    Shapes:
        - **loss:** ``[B]``
        - **output:** a number, or ``[B]`` with ``'none'``

    Raises:
        ValueError: if the reduction is unknown.
    """
    check_choice("reduction", reduction, Reduction)
    if reduction == "none":
        return loss
    total = loss.sum()
    return total / max(1, loss.numel()) if reduction == "mean" else total
