from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class CrossEntropy(torch.autograd.Function):
    r"""Cross entropy of one positive against the negatives of its row.

    .. math::
        -\log \frac{\exp(c \, p)}{\exp(c \, p) + \sum_j \exp(c \, n_j)}

    What :func:`torch.nn.functional.cross_entropy` gives of ``cat([p, n])``, in half as many passes
    over the negatives: neither is copied, and the exponentials are kept for the backward pass.

    Args:
        pos, neg (Tensor): similarities :math:`p` and :math:`n`.
        hidden (Tensor): which negatives do not count. As they are the row's own positive, their
            similarity is no reason to scale the others' exponentials otherwise.
        scale (float): :math:`c`, one over the temperature.

    Shapes:
        - **pos**, **output:** ``[B]``, **neg**, **hidden:** ``[B, c]``
    """

    @staticmethod
    def forward(ctx: Any, pos: Tensor, neg: Tensor, hidden: Tensor, scale: float) -> Tensor:
        top = torch.maximum(pos, neg.amax(1)) if neg.size(1) else pos
        terms = torch.add((-scale * top).unsqueeze(1), neg, alpha=scale)
        # A product with bytes is many times as fast as filling by a mask.
        terms.exp_().mul_(hidden.logical_not().view(torch.uint8))
        own, others = scale * (pos - top), terms.sum(1)
        total = own.exp() + others
        ctx.save_for_backward(terms, others, total)
        ctx.scale = scale
        return total.log() - own

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        terms, others, total = ctx.saved_tensors
        each = ctx.scale * grad / total
        return -others * each, terms * each.unsqueeze(1), None, None
