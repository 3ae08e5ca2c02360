r"""Tanh attention in one kernel forward and two backward, for CUDA and Triton's interpreter.

The matrix of weights exists one block at a time, in registers. The backward pass recomputes it
twice, once per query block for :math:`dQ` and once per key block for :math:`dK` and :math:`dV`:
no block is shared between programs, so there are no atomics and the result is deterministic.
"""

# mypy: disable-error-code="no-untyped-def,valid-type"

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

INTERPRETED: bool = triton.knobs.runtime.interpret

# Rows of the block that a program keeps, rows of those that it streams, warps, stages.
SHAPES = (
    (128, 128, 8, 2),
    (128, 64, 8, 3),
    (128, 64, 4, 2),
    (64, 64, 4, 3),
    (64, 32, 4, 2),
    (64, 32, 8, 1),
    (32, 32, 4, 2),
    (16, 16, 4, 1),
)


def accumulators(config: Any, meta: dict[str, Any]) -> float:
    """float32 per thread that a program's output and its blocks of P, and dP, take."""
    queries, keys = config.kwargs["QUERIES"], config.kwargs["KEYS"]
    blocks = 1 if "out_ptr" in meta else 2
    if "NEED_K" in meta:
        output = keys * (meta["BLOCK_D"] + meta["BLOCK_DV"])
    else:
        output = queries * meta["BLOCK_DV" if "out_ptr" in meta else "BLOCK_D"]
    return (output + blocks * queries * keys) / (32 * config.num_warps)


def prune(configs: list[Any], meta: dict[str, Any], major: int) -> list[Any]:
    """Drops what spills, by the figures of README.md; the tuner drops what shared memory cannot
    hold, and times the rest."""
    tensor_cores = 192 if major in (9, 10) else 144  # Hopper's read operands in shared memory
    limit = 48 if meta["PRECISION"] == "ieee" else tensor_cores
    return [c for c in configs if accumulators(c, meta) <= limit] or configs[-1:]


def _prune_here(configs: list[Any], named_args: dict[str, Any], **meta: Any) -> list[Any]:
    return prune(configs, named_args | meta, torch.cuda.get_device_capability()[0])


def configs(kept: str, streamed: str) -> list[Any]:
    return [
        triton.Config({kept: rows, streamed: columns}, num_warps=warps, num_stages=stages)
        for rows, columns, warps, stages in SHAPES
    ]


def _tuned(kept: str, streamed: str) -> Callable[[Any], Any]:
    if INTERPRETED:
        return lambda kernel: kernel
    return triton.autotune(
        configs(kept, streamed),
        key=["size_class", "D", "DV", "PRECISION", "APPROX"],
        prune_configs_by={"early_config_prune": _prune_here},
    )


@triton.jit
def _tanh(x, APPROX: tl.constexpr):
    """Odd polynomial below 0.55, where 1 - 2e / (1 + e) would cancel; NaN takes the second."""
    if APPROX:
        return tl.inline_asm_elementwise(
            "tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    y = x * x
    p = ((0.016437575 * y - 0.052671812) * y + 0.13320725) * y - 0.33332947
    e = tl.exp(-2 * tl.abs(x))
    large = 1 - 2 * e / (1 + e)
    return tl.where(y < 0.3025, x + x * (y * p), tl.where(x < 0, -large, large))


@triton.jit
def _load(base, rows, D: tl.constexpr, ROWS: tl.constexpr, BLOCK_D: tl.constexpr):
    """A block of the rows from base on; rows and channels that do not exist are zero."""
    row, channel = tl.arange(0, ROWS)[:, None], tl.arange(0, BLOCK_D)[None, :]
    mask = (row < rows) & (channel < D)
    return tl.load(base + row * D + channel, mask=mask, other=0.0)  # [ROWS, BLOCK_D]


@triton.jit
def _store(base, block, rows, D: tl.constexpr, ROWS: tl.constexpr, BLOCK_D: tl.constexpr):
    row, channel = tl.arange(0, ROWS)[:, None], tl.arange(0, BLOCK_D)[None, :]
    mask = (row < rows) & (channel < D)
    tl.store(base + row * D + channel, block.to(base.dtype.element_ty), mask=mask)


@_tuned(kept="QUERIES", streamed="KEYS")
@triton.jit(do_not_specialize=["size_class"])
def forward_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, n, m, scale, size_class,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    PRECISION: tl.constexpr, APPROX: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0).to(tl.int64) * QUERIES
    q = _load(q_ptr + first * D, n - first, D, QUERIES, BLOCK_D)
    out = tl.full((QUERIES, BLOCK_DV), 0.0, tl.float32)
    for start in range(0, m, KEYS):
        k = _load(k_ptr, m - start, D, KEYS, BLOCK_D)
        v = _load(v_ptr, m - start, DV, KEYS, BLOCK_DV)
        s = scale * tl.dot(q, tl.trans(k), input_precision=PRECISION)
        p = _tanh(s, APPROX)  # [QUERIES, KEYS]
        out = tl.dot(p.to(v.dtype), v, out, input_precision=PRECISION)
        k_ptr += KEYS * D
        v_ptr += KEYS * DV
    _store(out_ptr + first * DV, out, n - first, DV, QUERIES, BLOCK_DV)


@_tuned(kept="QUERIES", streamed="KEYS")
@triton.jit(do_not_specialize=["size_class"])
def backward_query_kernel(
    q_ptr, k_ptr, v_ptr, do_ptr, dq_ptr, n, m, scale, size_class,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    PRECISION: tl.constexpr, APPROX: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0).to(tl.int64) * QUERIES
    q = _load(q_ptr + first * D, n - first, D, QUERIES, BLOCK_D)
    do = _load(do_ptr + first * DV, n - first, DV, QUERIES, BLOCK_DV)
    dq = tl.full((QUERIES, BLOCK_D), 0.0, tl.float32)
    for start in range(0, m, KEYS):
        k = _load(k_ptr, m - start, D, KEYS, BLOCK_D)
        v = _load(v_ptr, m - start, DV, KEYS, BLOCK_DV)
        s = scale * tl.dot(q, tl.trans(k), input_precision=PRECISION)
        p = _tanh(s, APPROX)  # [QUERIES, KEYS]
        dp = tl.dot(do, tl.trans(v), input_precision=PRECISION)
        ds = dp * (1 - p * p)
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision=PRECISION)
        k_ptr += KEYS * D
        v_ptr += KEYS * DV
    _store(dq_ptr + first * D, scale * dq, n - first, D, QUERIES, BLOCK_D)


@_tuned(kept="KEYS", streamed="QUERIES")
@triton.jit(do_not_specialize=["size_class"])
def backward_key_kernel(
    q_ptr, k_ptr, v_ptr, do_ptr, dk_ptr, dv_ptr, n, m, scale, size_class,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    PRECISION: tl.constexpr, APPROX: tl.constexpr,
    NEED_K: tl.constexpr, NEED_V: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Blocks are transposed, for the left operand of a product may stay in registers."""
    first = tl.program_id(0).to(tl.int64) * KEYS
    k = _load(k_ptr + first * D, m - first, D, KEYS, BLOCK_D)
    v = _load(v_ptr + first * DV, m - first, DV, KEYS, BLOCK_DV)
    dk = tl.full((KEYS, BLOCK_D), 0.0, tl.float32)
    dv = tl.full((KEYS, BLOCK_DV), 0.0, tl.float32)
    for start in range(0, n, QUERIES):
        q = _load(q_ptr, n - start, D, QUERIES, BLOCK_D)
        do = _load(do_ptr, n - start, DV, QUERIES, BLOCK_DV)
        s = scale * tl.dot(k, tl.trans(q), input_precision=PRECISION)
        p = _tanh(s, APPROX)  # [KEYS, QUERIES]
        if NEED_V:
            dv = tl.dot(p.to(do.dtype), do, dv, input_precision=PRECISION)
        if NEED_K:
            dp = tl.dot(v, tl.trans(do), input_precision=PRECISION)
            ds = dp * (1 - p * p)
            dk = tl.dot(ds.to(q.dtype), q, dk, input_precision=PRECISION)
        q_ptr += QUERIES * D
        do_ptr += QUERIES * DV
    if NEED_K:
        _store(dk_ptr + first * D, scale * dk, m - first, D, KEYS, BLOCK_D)
    if NEED_V:
        _store(dv_ptr + first * DV, dv, m - first, DV, KEYS, BLOCK_DV)


def _launch(kernel: Any, blocks: str, *args: Any, **flags: bool) -> None:
    """Runs one program per block of queries or keys on (tensors, scale, approx)."""
    *tensors, scale, approx = args
    query, key, value, *_ = tensors
    (n, d), (m, dv) = query.shape, value.shape
    meta = {
        "size_class": 64 * (n.bit_length() // 2) + m.bit_length() // 2,  # within a factor of 4
        "D": d,
        "DV": dv,
        "BLOCK_D": max(16, triton.next_power_of_2(d)),
        "BLOCK_DV": max(16, triton.next_power_of_2(dv)),
        "PRECISION": _precision(query.dtype),
        "APPROX": approx,
        **flags,
    }
    if INTERPRETED:
        meta |= {"QUERIES": 128, "KEYS": 128}
    rows = n if blocks == "QUERIES" else m
    with torch.cuda.device_of(query):  # type: ignore[no-untyped-call]
        kernel[lambda x: (triton.cdiv(rows, x[blocks]),)](*tensors, n, m, scale, **meta)


def _precision(dtype: torch.dtype) -> str:
    """Of float32 products, as torch's own: the tensor cores' if they are allowed."""
    tf32 = dtype != torch.float32 or torch.backends.cuda.matmul.fp32_precision == "tf32"
    return "tf32" if tf32 else "ieee"


def _prepare(*tensors: Tensor) -> list[Tensor]:
    """Contiguous; the interpreter has no arithmetic of bfloat16, so there it is widened."""
    widen = INTERPRETED and tensors[0].dtype == torch.bfloat16
    return [(x.float() if widen else x).contiguous() for x in tensors]


@torch.library.custom_op("crane_pyg::tanh_attention_triton", mutates_args=())
def _forward(query: Tensor, key: Tensor, value: Tensor, scale: float, approx: bool) -> Tensor:
    q, k, v = _prepare(query, key, value)
    out = q.new_empty(q.size(0), v.size(1))
    if min(*q.shape, *v.shape) == 0:
        return query.new_zeros(out.shape)
    _launch(forward_kernel, "QUERIES", q, k, v, out, scale, approx)
    return out.to(query.dtype)


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
    q, k, v, do = _prepare(query, key, value, grad_out)
    need_q, need_k, need_v = needed
    grads = [x.new_empty(x.shape if need else 0) for x, need in zip((q, k, v), needed, strict=True)]
    if min(*q.shape, *v.shape) == 0:
        return [dx.zero_().to(query.dtype) for dx in grads]
    dq, dk, dv = grads
    if need_q:
        _launch(backward_query_kernel, "QUERIES", q, k, v, do, dq, scale, approx)
    if need_k or need_v:
        flags = {"NEED_K": need_k, "NEED_V": need_v}
        _launch(backward_key_kernel, "KEYS", q, k, v, do, dk, dv, scale, approx, **flags)
    return [dx.to(query.dtype) for dx in grads]


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
