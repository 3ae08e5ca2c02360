r"""Tanh attention in one kernel forward and two backward, for CUDA and Triton's interpreter.

The matrix of weights exists one block at a time, in registers. The backward pass recomputes it
twice, once per query block for :math:`dQ` and once per key block for :math:`dK` and :math:`dV`:
no block is shared between programs, so there are no atomics and the result is deterministic.

A program keeps a block of rows and streams all others past it. Where there are too few blocks to
fill the GPU, what is streamed is split into parts, whose results are added up afterwards.
"""

# mypy: disable-error-code="no-untyped-def,valid-type"

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

INTERPRETED: bool = triton.knobs.runtime.interpret
LEAST_WIDTH = 64  # channels
ROWS_PER_MULTIPROCESSOR = 256  # rows in flight that fill one, as measured on an H100
RUN = 4096  # streamed rows, at most, that tensor cores add up in float32: they cut off, not round


class Tile(NamedTuple):
    """Rows of the block that a program keeps, rows of those that it streams, warps, stages."""

    kept: int
    streamed: int
    warps: int
    stages: int


# By channels at most, each among the fastest of those measured on an H100 (README.md); wide ones
# spill in every shape. A tile is a function of the input alone, so that the bits are too.
HALF = {
    "forward": {64: Tile(128, 64, 4, 3), 128: Tile(128, 64, 4, 2), 256: Tile(64, 64, 4, 2)},
    "query": {64: Tile(64, 64, 4, 2), 128: Tile(64, 64, 4, 2), 256: Tile(64, 64, 4, 2)},
    "key": {64: Tile(64, 128, 4, 2), 128: Tile(64, 64, 4, 2), 256: Tile(64, 64, 8, 2)},
}
SINGLE = {
    "forward": {64: Tile(128, 64, 8, 2), 128: Tile(128, 64, 8, 2), 256: Tile(128, 32, 8, 1)},
    "query": {64: Tile(128, 64, 8, 2), 128: Tile(128, 32, 8, 2), 256: Tile(32, 32, 4, 1)},
    "key": {64: Tile(64, 32, 4, 2), 128: Tile(64, 32, 8, 1), 256: Tile(16, 32, 4, 1)},
}
# Before Hopper operands of a product come through registers, and shared memory may be 99 KB.
EARLIER = {
    "forward": {64: Tile(64, 32, 4, 2), 128: Tile(64, 32, 4, 2), 256: Tile(16, 16, 4, 1)},
    "query": {64: Tile(64, 32, 4, 2), 128: Tile(32, 32, 4, 1), 256: Tile(16, 16, 4, 1)},
    "key": {64: Tile(64, 32, 4, 2), 128: Tile(32, 32, 4, 1), 256: Tile(16, 16, 4, 1)},
}


def choose_tile(work: str, dtype: torch.dtype, channels: int, capability: tuple[int, int]) -> Tile:
    """Of the pass ``'forward'``, or backward for the ``'query'`` or for the ``'key'`` and value."""
    if INTERPRETED:
        return Tile(128, 128, 4, 1)
    single = dtype == torch.float32
    tiles = (SINGLE if single else HALF) if capability >= (9, 0) else EARLIER
    return next(tile for most, tile in tiles[work].items() if channels <= most)


@triton.jit
def _tanh(x, HARDWARE: tl.constexpr):
    """Odd polynomial below 0.55, where 1 - 2e / (1 + e) would cancel; NaN takes the second."""
    if HARDWARE:
        return tl.inline_asm_elementwise(
            "tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    y = x * x
    p = ((0.016437575 * y - 0.052671812) * y + 0.13320725) * y - 0.33332947
    e = tl.exp(-2 * tl.abs(x))
    large = 1 - 2 * e / (1 + e)
    return tl.where(y < 0.3025, x + x * (y * p), tl.where(x < 0, -large, large))


@triton.jit
def _part(count, BLOCK: tl.constexpr):
    """The rows that this program streams: whole blocks, so that no two parts share one."""
    blocks, parts = (count + BLOCK - 1) // BLOCK, tl.num_programs(1)
    rows = (blocks + parts - 1) // parts * BLOCK
    start = tl.program_id(1) * rows
    return start, tl.minimum(start + rows, count)


@triton.jit
def _store(out_ptr, block, first, count, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """To rows from first on of this program's part, ``[parts, count, CHANNELS]``."""
    row = first + tl.arange(0, ROWS)[:, None]
    at = (tl.program_id(1).to(tl.int64) * count + row) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    tl.store(out_ptr + at, block.to(out_ptr.dtype.element_ty), mask=row < count)


# Descriptors read rows that do not exist as zeros, which contribute nothing.


@triton.jit
def _output(
    q, key, value, scale, start, end, WIDTH: tl.constexpr, KEPT: tl.constexpr,
    STREAMED: tl.constexpr, PRECISION: tl.constexpr, HARDWARE: tl.constexpr,
):  # fmt: skip
    out = tl.full((KEPT, WIDTH), 0.0, tl.float32)
    for row in range(start, end, STREAMED):
        k, v = key.load([row, 0]), value.load([row, 0])
        p = _tanh(scale * tl.dot(q, k.T, input_precision=PRECISION), HARDWARE)  # [KEPT, STREAMED]
        out = tl.dot(p.to(v.dtype), v, out, input_precision=PRECISION)
    return out


@triton.jit
def forward_kernel(
    query, key, value, out_ptr, n, m, scale,
    WIDTH: tl.constexpr, KEPT: tl.constexpr, STREAMED: tl.constexpr,
    PRECISION: tl.constexpr, HARDWARE: tl.constexpr, RUN: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * KEPT
    q = query.load([first, 0])
    start, end = _part(m, STREAMED)
    if RUN == 0:
        out = _output(q, key, value, scale, start, end, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE)
    else:
        out = tl.full((KEPT, WIDTH), 0.0, tl.float32)
        for row in range(start, end, RUN):
            stop = tl.minimum(row + RUN, end)
            out += _output(
                q, key, value, scale, row, stop, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE
            )
    _store(out_ptr, out, first, n, KEPT, WIDTH)


@triton.jit
def _query_gradient(
    q, do, key, value, scale, start, end, WIDTH: tl.constexpr, KEPT: tl.constexpr,
    STREAMED: tl.constexpr, PRECISION: tl.constexpr, HARDWARE: tl.constexpr,
):  # fmt: skip
    dq = tl.full((KEPT, WIDTH), 0.0, tl.float32)
    for row in range(start, end, STREAMED):
        k, v = key.load([row, 0]), value.load([row, 0])
        p = _tanh(scale * tl.dot(q, k.T, input_precision=PRECISION), HARDWARE)  # [KEPT, STREAMED]
        ds = tl.dot(do, v.T, input_precision=PRECISION) * (1 - p * p)
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision=PRECISION)
    return dq


@triton.jit
def query_kernel(
    query, key, value, grad_out, dq_ptr, n, m, scale,
    WIDTH: tl.constexpr, KEPT: tl.constexpr, STREAMED: tl.constexpr,
    PRECISION: tl.constexpr, HARDWARE: tl.constexpr, RUN: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * KEPT
    q, do = query.load([first, 0]), grad_out.load([first, 0])
    start, end = _part(m, STREAMED)
    if RUN == 0:
        dq = _query_gradient(
            q, do, key, value, scale, start, end, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE
        )
    else:
        dq = tl.full((KEPT, WIDTH), 0.0, tl.float32)
        for row in range(start, end, RUN):
            stop = tl.minimum(row + RUN, end)
            dq += _query_gradient(
                q, do, key, value, scale, row, stop, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE
            )
    _store(dq_ptr, scale * dq, first, n, KEPT, WIDTH)


@triton.jit
def _key_gradients(
    k, v, query, grad_out, scale, start, end, WIDTH: tl.constexpr,
    KEPT: tl.constexpr, STREAMED: tl.constexpr, PRECISION: tl.constexpr, HARDWARE: tl.constexpr,
    NEED_K: tl.constexpr, NEED_V: tl.constexpr,
):  # fmt: skip
    """Blocks are transposed, for the left operand of a product may stay in registers."""
    dk = tl.full((KEPT, WIDTH), 0.0, tl.float32)
    dv = tl.full((KEPT, WIDTH), 0.0, tl.float32)
    for row in range(start, end, STREAMED):
        q, do = query.load([row, 0]), grad_out.load([row, 0])
        p = _tanh(scale * tl.dot(k, q.T, input_precision=PRECISION), HARDWARE)  # [KEPT, STREAMED]
        if NEED_V:
            dv = tl.dot(p.to(do.dtype), do, dv, input_precision=PRECISION)
        if NEED_K:
            ds = tl.dot(v, do.T, input_precision=PRECISION) * (1 - p * p)
            dk = tl.dot(ds.to(q.dtype), q, dk, input_precision=PRECISION)
    return dk, dv


@triton.jit
def key_kernel(
    query, key, value, grad_out, dk_ptr, dv_ptr, n, m, scale,
    WIDTH: tl.constexpr, KEPT: tl.constexpr, STREAMED: tl.constexpr,
    PRECISION: tl.constexpr, HARDWARE: tl.constexpr, RUN: tl.constexpr,
    NEED_K: tl.constexpr, NEED_V: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * KEPT
    k, v = key.load([first, 0]), value.load([first, 0])
    start, end = _part(n, STREAMED)
    if RUN == 0:
        dk, dv = _key_gradients(
            k, v, query, grad_out, scale, start, end, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE,
            NEED_K, NEED_V,
        )  # fmt: skip
    else:
        dk = tl.full((KEPT, WIDTH), 0.0, tl.float32)
        dv = tl.full((KEPT, WIDTH), 0.0, tl.float32)
        for row in range(start, end, RUN):
            stop = tl.minimum(row + RUN, end)
            more_k, more_v = _key_gradients(
                k, v, query, grad_out, scale, row, stop, WIDTH, KEPT, STREAMED, PRECISION, HARDWARE,
                NEED_K, NEED_V,
            )  # fmt: skip
            dk += more_k
            dv += more_v
    if NEED_K:
        _store(dk_ptr, scale * dk, first, m, KEPT, WIDTH)
    if NEED_V:
        _store(dv_ptr, dv, first, m, KEPT, WIDTH)


KERNELS = {"forward": forward_kernel, "query": query_kernel, "key": key_kernel}


def _launch(
    work: str, inputs: list[Tensor], scale: float, approx: bool, **flags: bool
) -> list[Tensor]:
    """One of the three kernels on padded query, key, value and, backward, the output's gradient.

    Returns:
        what it computes, padded and in float32 or the dtype of ``inputs``: the output, the gradient
        of the query, or those of key and value.
    """
    query, key, value, *_ = inputs
    n, m, width = query.size(0), key.size(0), query.size(1)
    on_key = work == "key"
    count, others = (m, n) if on_key else (n, m)
    capability, multiprocessors = _device(query)
    tile = choose_tile(work, query.dtype, width, capability)
    blocks = triton.cdiv(others, tile.streamed)
    parts = min(blocks, max(1, round(ROWS_PER_MULTIPROCESSOR * multiprocessors / count)))
    dtype = query.dtype if parts == 1 else torch.float32
    outs = [query.new_empty(parts, count, width, dtype=dtype) for _ in range(1 + on_key)]
    sides = (on_key, not on_key, not on_key, on_key)  # which of the inputs are streamed
    descriptors = [
        TensorDescriptor.from_tensor(x, [tile.streamed if streamed else tile.kept, width])
        for x, streamed in zip(inputs, sides)
    ]
    grid = triton.cdiv(count, tile.kept), parts
    meta: dict[str, Any] = {"WIDTH": width, "KEPT": tile.kept, "STREAMED": tile.streamed, **flags}
    meta |= {"PRECISION": precision(query.dtype), "HARDWARE": approx or _approximates(query)}
    meta["RUN"] = RUN if query.dtype == torch.float32 else 0
    with torch.cuda.device_of(query):  # type: ignore[no-untyped-call]
        KERNELS[work][grid](
            *descriptors, *outs, n, m, scale, **meta, num_warps=tile.warps, num_stages=tile.stages
        )
    return [out[0] if parts == 1 else out.sum(0) for out in outs]


def _device(x: Tensor) -> tuple[tuple[int, int], int]:
    """Compute capability and number of multiprocessors."""
    if not x.is_cuda:
        return (0, 0), 1
    device = torch.cuda.get_device_properties(x.device)
    return (device.major, device.minor), device.multi_processor_count


def precision(dtype: torch.dtype) -> str:
    """Of a product. Those of float32 are sums of products of its parts in bfloat16: six give its
    own accuracy, three the 16 bits that torch's setting ``high`` asks for. One in TF32 would be up
    to twice as fast, but Triton cuts its operands off where torch rounds them, and such errors add
    up: seven times torch's on an H100, where three products have a hundredth of it."""
    if INTERPRETED:
        return "ieee"
    if dtype != torch.float32:
        return "tf32"  # has no say
    return "bf16x3" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "bf16x6"


def _approximates(x: Tensor) -> bool:
    """Half precision takes the hardware's tanh, whose error is below its rounding."""
    half = x.dtype != torch.float32
    return half and not INTERPRETED and not torch.version.hip and _device(x)[0] >= (7, 5)


def _prepare(*tensors: Tensor) -> list[Tensor]:
    """As descriptors want them: contiguous, aligned, and all of one width of 64, 128 or 256.

    Narrower kernels would save little: on an H100 a pair of 32 channels takes 0.88 of the time of
    one of 64. The interpreter has no arithmetic of bfloat16, so there it is widened.
    """
    width = max(LEAST_WIDTH, *(triton.next_power_of_2(x.size(1)) for x in tensors))
    prepared = []
    for x in tensors:
        x = F.pad(x, (0, width - x.size(1))) if width > x.size(1) else x.contiguous()
        if INTERPRETED and x.dtype == torch.bfloat16:
            x = x.float()
        prepared.append(x.clone() if x.data_ptr() % 16 else x)
    return prepared


@torch.library.custom_op("crane_pyg::tanh_attention_triton", mutates_args=())
def _forward(query: Tensor, key: Tensor, value: Tensor, scale: float, approx: bool) -> Tensor:
    if min(*query.shape, *key.shape, *value.shape) == 0:
        return query.new_zeros(query.size(0), value.size(1))
    (out,) = _launch("forward", _prepare(query, key, value), scale, approx)
    return _narrow(out, value.size(1), query.dtype)


def _narrow(out: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Without the padding."""
    return out[:, :width].to(dtype).contiguous()


@torch.library.custom_op("crane_pyg::tanh_attention_triton_backward", mutates_args=())
def _backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    approx: bool,
    needed: list[bool],
) -> list[Tensor]:
    """The gradients of query, key and value; an empty tensor for one that is not needed."""
    tensors = query, key, value
    if min(*query.shape, *key.shape, *value.shape) == 0:
        return [x.new_zeros(x.shape if need else 0) for x, need in zip(tensors, needed)]
    inputs = _prepare(query, key, value, grad_out)
    grads = [x.new_empty(0) for x in tensors]
    if needed[0]:
        grads[:1] = _launch("query", inputs, scale, approx)
    if needed[1] or needed[2]:
        flags = {"NEED_K": needed[1], "NEED_V": needed[2]}
        grads[1:] = _launch("key", inputs, scale, approx, **flags)
    return [
        _narrow(dx, x.size(1), x.dtype) if need else x.new_empty(0)
        for dx, x, need in zip(grads, tensors, needed, strict=True)
    ]


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, scale: float, approx: bool) -> Tensor:
    return query.new_empty(query.size(0), value.size(1))


@_backward.register_fake
def _(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    approx: bool,
    needed: list[bool],
) -> list[Tensor]:
    inputs = query, key, value
    return [x.new_empty(x.shape if need else 0) for x, need in zip(inputs, needed, strict=True)]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale, ctx.approx = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    # torch's once_differentiable stays silent where grad_out is a constant.
    if torch.is_grad_enabled():
        raise RuntimeError("impl='triton' has no second derivative: use impl='reference'")
    needed = list(ctx.needs_input_grad[:3])
    grads = _backward(grad_out, *ctx.saved_tensors, ctx.scale, ctx.approx, needed)
    return *(dx if need else None for dx, need in zip(grads, needed, strict=True)), None, None


_forward.register_autograd(_differentiate, setup_context=_setup_context)


def triton_fused(
    query: Tensor, key: Tensor, value: Tensor, scale: float, approx: bool = False
) -> Tensor:
    return _forward(query, key, value, scale, approx)
