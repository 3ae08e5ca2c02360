"""The sparse product under :func:`~crane_pyg.ops.spmm`, an operator that ``torch.compile`` knows.

What torch lacks: ``torch.compile`` rejects sparse tensors, and a CSR tensor always has values. Here
a graph is plain tensors, and weights may be left out.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_CHUNK = 1 << 22  # elements gathered at once for the weight gradient


def csr_product(
    x: Tensor,
    weight: Tensor | None,
    rowptr: Tensor,
    col: Tensor,
    weight_t: Tensor | None,
    rowptr_t: Tensor,
    col_t: Tensor,
) -> Tensor:
    r"""Sums rows of ``x``, :math:`\mathbf{y}_i = \sum_{e = p_i}^{p_{i + 1} - 1} w_e \,
    \mathbf{x}_{c_e}`. Differentiable in ``x`` and ``weight``.

    On a CPU rows are gathered by ``embedding_bag``, which fetches them ahead, takes half precision
    and then sums in single, and needs no weights. On CUDA cuSPARSE multiplies.

    Args:
        x (Tensor): what is summed.
        weight (Tensor, optional): of each edge, in the dtype of ``x``. (default: ones)
        rowptr, col (Tensor): int32, edges by destination: where each one's begin, and their
            sources.
        weight_t, rowptr_t, col_t (Tensor): the same edges by source, for the gradient.

    Shapes:
        - **x:** ``[num_src, d]``
        - **weight**, **col**, **weight_t**, **col_t:** ``[E]``
        - **rowptr:** ``[num_dst + 1]``, **rowptr_t:** ``[num_src + 1]``
        - **output:** ``[num_dst, d]``
    """
    find = _traced if torch.compiler.is_compiling() else _eager
    return find(x, weight, rowptr, col, weight_t, rowptr_t, col_t)


def _product(x: Tensor, weight: Tensor | None, rowptr: Tensor, col: Tensor, *_: Any) -> Tensor:
    num_dst = rowptr.numel() - 1
    if col.numel() == 0 or x.size(1) == 0:
        return x.new_zeros(num_dst, x.size(1))
    if not x.is_cuda:
        # Detached, or it notes the bag of each edge for a backward pass of its own.
        table, weight = x.detach().contiguous(), None if weight is None else weight.detach()
        parts: tuple[Tensor, ...] = torch.embedding_bag(
            table, col, rowptr, False, 0, False, weight, True
        )
        return parts[0]
    weight = x.new_ones(col.numel()) if weight is None else weight
    if col.numel() > num_dst * x.size(0):  # cuSPARSE refuses more edges than there are pairs
        out = x.new_zeros(num_dst, x.size(1))
        return out.index_add_(0, expand(rowptr, col.numel()), weight.unsqueeze(1) * x[col])
    matrix = _csr(rowptr, col, weight, x.size(0))
    # Into a given output: torch's `mm` fills and copies one of its own.
    out = x.new_empty(num_dst, x.size(1))
    return torch.addmm(out, matrix, x, beta=0, out=out)


# An operator costs several times what a function of autograd does, of a small graph more than the
# product: so it is for the compiler alone.
_traced: Any = torch.library.custom_op(
    "crane_pyg::csr_product",
    _product,
    mutates_args=(),
    schema=torch.library.infer_schema(csr_product, mutates_args=()),
)


@_traced.register_fake
def _shape(x: Tensor, weight: Any, rowptr: Tensor, *_: Any) -> Tensor:
    return x.new_empty(rowptr.numel() - 1, x.size(1))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, rowptr, col, weight_t, rowptr_t, col_t = inputs
    learns = ctx.needs_input_grad[1]
    ctx.save_for_backward(x if learns else None, weight, rowptr, col, weight_t, rowptr_t, col_t)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, rowptr, col, weight_t, rowptr_t, col_t = ctx.saved_tensors
    grad_weight = grad_x = None
    if ctx.needs_input_grad[1]:
        if torch.is_grad_enabled():
            raise RuntimeError("csr_product has no second derivative where weights have a first")
        dst = expand(rowptr, col.numel())
        step = max(1, _CHUNK // max(1, grad.size(1)))
        edges = zip(torch.split(dst, step), torch.split(col, step), strict=True)
        grad_weight = torch.cat([(grad[d] * x[s]).sum(1) for d, s in edges])
    if ctx.needs_input_grad[0]:
        grad_x = csr_product(grad, weight_t, rowptr_t, col_t, weight, rowptr, col)
    return grad_x, grad_weight, None, None, None, None, None


_traced.register_autograd(_backward, setup_context=_keep)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:  # torch binds arguments slowly for setup_context
        output = _product(*inputs)
        _keep(ctx, inputs, output)
        return output

    backward = staticmethod(_backward)


_eager: Callable[..., Tensor] = _Product.apply


def expand(ptr: Tensor, size: int) -> Tensor:
    """The row of each of ``size`` entries."""
    rows = torch.arange(ptr.numel() - 1, device=ptr.device, dtype=ptr.dtype)
    return rows.repeat_interleave(ptr.diff(), output_size=size)


def _csr(rowptr: Tensor, col: Tensor, weight: Tensor, num_cols: int) -> Tensor:
    return torch.sparse_csr_tensor(
        rowptr, col, weight, size=(rowptr.numel() - 1, num_cols), check_invariants=False
    )


# torch warns once a process that CSR is in beta: not the user's concern.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    _csr(torch.tensor([0, 0]), torch.tensor([], dtype=torch.long), torch.tensor([]), 1)
