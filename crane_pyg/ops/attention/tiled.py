r"""Tanh attention, one tile of the weights at a time.

With :math:`S = s\,QK^\top` and :math:`P = \tanh(S)` the gradients are

.. math::
    dV = P^\top dO, \qquad dS = (dO\,V^\top) \odot (1 - P \odot P), \qquad
    dQ = s\,dS\,K, \qquad dK = s\,dS^\top Q .

There is no softmax, so no row statistic couples the tiles: each is computed, used and
overwritten, in the backward pass too, which recomputes :math:`P` instead of storing it.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# By measurement on two cores with 2 MB of second-level cache each, n = m = 16,384, d = dv = 64, in
# GFLOP/s forward and in total: 166 and 160; tiles of 1024 x 512 134 and 133, 2048 x 512 152 and
# 135, 16,384 x 128 161 and 153. On one core all are within the noise of 88. Tall tiles keep both
# cores busy inside a product; larger ones hold more memory for no gain.
TILE = (4096, 512)


def tiled(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Holds one buffer of a tile's size in the forward pass, and two in the backward."""
    return _forward_op(query, key, value, scale)


def _tiles(n: int, m: int) -> Iterator[tuple[slice, slice]]:
    for i in range(0, n, TILE[0]):
        for j in range(0, m, TILE[1]):
            yield slice(i, min(i + TILE[0], n)), slice(j, min(j + TILE[1], m))


def _buffer(rows: Tensor, columns: Tensor) -> Tensor:
    return rows.new_empty(min(TILE[0], rows.size(0)) * min(TILE[1], columns.size(0)))


def _product(buffer: Tensor, rows: Tensor, columns: Tensor, scale: float = 1.0) -> Tensor:
    """Writes scale * rows @ columns^T to the front of the buffer."""
    shape = rows.size(0), columns.size(0)
    tile = buffer[: shape[0] * shape[1]].view(shape)
    return torch.addmm(tile, rows, columns.t(), beta=0, alpha=scale, out=tile)


def _working_copy(x: Tensor) -> Tensor:
    """Half precision is accumulated in float32; strided rows would be copied once per tile."""
    return x.to(torch.float32 if x.dtype.itemsize < 4 else x.dtype).contiguous()


def forward(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    q, k, v = _working_copy(query), _working_copy(key), _working_copy(value)
    out = q.new_zeros(q.size(0), v.size(1))  # [n, dv]
    buffer = _buffer(q, k)
    for i, j in _tiles(q.size(0), k.size(0)):
        weight = _product(buffer, q[i], k[j], scale).tanh_()  # [tile, tile]
        out[i].addmm_(weight, v[j])
    return out.to(query.dtype)


def backward(
    grad_out: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: float, needed: list[bool]
) -> list[Tensor]:
    """The gradients of query, key and value; an empty tensor for one that is not needed."""
    need_q, need_k, need_v = needed
    q, k, v = _working_copy(query), _working_copy(key), _working_copy(value)
    grad = _working_copy(grad_out)  # [n, dv]
    dq, dk, dv = (
        torch.zeros_like(x) if need else x.new_empty(0)
        for x, need in zip((q, k, v), needed, strict=True)
    )
    buffer = _buffer(q, k)
    grad_buffer = _buffer(q, k) if need_q or need_k else None
    for i, j in _tiles(q.size(0), k.size(0)):
        weight = _product(buffer, q[i], k[j], scale).tanh_()  # [tile, tile]
        if need_v:
            dv[j].addmm_(weight.t(), grad[i])
        if grad_buffer is None:
            continue
        dweight = _product(grad_buffer, grad[i], v[j])  # [tile, tile]
        torch.ops.aten.tanh_backward.grad_input(dweight, weight, grad_input=dweight)
        if need_q:
            dq[i].addmm_(dweight, k[j], alpha=scale)
        if need_k:
            dk[j].addmm_(dweight.t(), q[i], alpha=scale)
    return [dx.to(query.dtype) for dx in (dq, dk, dv)]


# Operators of their own, for torch.compile would trace through every tile.
_forward_op = torch.library.custom_op("crane_pyg::tanh_attention_tiled", forward, mutates_args=())
_backward_op = torch.library.custom_op(
    "crane_pyg::tanh_attention_tiled_backward", backward, mutates_args=()
)


@_forward_op.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    return query.new_empty(query.size(0), value.size(1))


@_backward_op.register_fake
def _(
    grad_out: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: float, needed: list[bool]
) -> list[Tensor]:
    inputs = query, key, value
    return [x.new_empty(x.shape if need else 0) for x, need in zip(inputs, needed, strict=True)]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    # torch's once_differentiable stays silent where grad_out is a constant.
    if torch.is_grad_enabled():
        raise RuntimeError("impl='tiled' has no second derivative: use impl='reference'")
    needed = list(ctx.needs_input_grad[:3])
    grads = _backward_op(grad_out, *ctx.saved_tensors, ctx.scale, needed)
    return *(dx if need else None for dx, need in zip(grads, needed, strict=True)), None


_forward_op.register_autograd(_differentiate, setup_context=_setup_context)
