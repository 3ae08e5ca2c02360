"""Tanh attention as users call it: checks its input and chooses an implementation."""

import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from crane_pyg import ranks
from crane_pyg.choices import check_choice
from crane_pyg.ops.attention.linear import linear
from crane_pyg.ops.attention.nystrom import nystrom
from crane_pyg.ops.attention.reference import reference
from crane_pyg.ops.attention.tiled import TILE, tiled

Impl = Literal["auto", "reference", "tiled", "triton", "triton_approx", "linear", "nystrom"]

_HAS_TRITON = find_spec("triton") is not None


def _triton(
    query: Tensor, key: Tensor, value: Tensor, scale: float, *, approx: bool = False
) -> Tensor:
    if lack := _triton_lacks(query, value, approx):
        raise ValueError(f"impl='triton{'_approx' * approx}' needs {lack}")
    from crane_pyg.ops.attention.triton_fused import triton_fused

    return triton_fused(query, key, value, scale, approx)


_IMPLS: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "reference": reference,
    "tiled": tiled,
    "triton": _triton,
    "triton_approx": partial(_triton, approx=True),
    "linear": linear,
    "nystrom": nystrom,
}

_FITTED = ("linear", "nystrom")  # cheap, and not a function of each query by itself


def tanh_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float = 1.0,
    impl: Impl = "auto",
) -> Tensor:
    r"""The attention of "Cross-Modal Attention Network with Dual Graph Learning in Multimodal
    Recommendation" (eq. 10-11): a hyperbolic tangent in the place of the softmax.

    .. math::
        \mathbf{O} = \tanh(s \, \mathbf{Q} \mathbf{K}^\top) \mathbf{V}

    Each pair is weighted on its own, by a number in :math:`(-1, 1)`; rows of weights do not sum
    to one. So a key whose row of :obj:`value` is zero contributes nothing: to mask keys, multiply
    those rows by zero (the keys themselves must stay finite).

    Args:
        query (Tensor): The queries.
        key (Tensor): The keys.
        value (Tensor): The values.
        scale (float): The factor :math:`s` on the logits. (default: :obj:`1.0`)
        impl (str): :obj:`"reference"` stores the whole matrix of weights; :obj:`"tiled"` holds
            one tile of it at a time, also in the backward pass; :obj:`"triton"` is that as fused
            kernels for CUDA, up to 256 channels and without float64; :obj:`"triton_approx"` takes
            the hardware's tanh in them, whose relative error is up to :math:`2^{-11}`. Of these
            only the reference can be differentiated twice. :obj:`"auto"` takes the reference where
            the matrix fits in one tile, elsewhere :obj:`"triton"` if it runs on a GPU of compute
            capability 8.0, :obj:`"tiled"` if not. Two approximations, in time linear in
            :math:`n + m` and never chosen by :obj:`"auto"`: :obj:`"linear"` replaces
            :math:`\tanh(x)` by :math:`x`, which moves row :math:`i` by at most
            :math:`\frac{1}{3} \max_j s_{ij}^2 \sum_j |s_{ij}| \lVert \mathbf{v}_j \rVert` for
            logits :math:`s_{ij}`; :obj:`"nystrom"` fits what that leaves at 256 sampled queries and
            128 landmark keys, its gradients too. :func:`tanh_attention_error` measures their error
            on the data at hand. (default: :obj:`"auto"`)

    Computes in the dtype of its inputs; all but the reference accumulate half precision in
    float32. Under autocast the inputs are cast to its dtype, float64 excepted, as those of
    :func:`torch.nn.functional.scaled_dot_product_attention` are. On CUDA, float32 products
    follow :obj:`torch.backends.cuda.matmul.fp32_precision`.

    Shapes:
        - **query:** :math:`(n, d)`, **key:** :math:`(m, d)`, **value:** :math:`(m, d_v)`
        - **output:** :math:`(n, d_v)`

    Raises:
        ValueError: if shapes, dtypes or devices do not agree, the scale is not finite, or the
            implementation is unknown or cannot run here.
    """
    if torch.is_autocast_enabled(query.device.type):
        query, key, value = (_autocast(x) for x in (query, key, value))
    _validate(query, key, value, scale)
    check_choice("impl", impl, Impl)
    if impl == "auto":
        impl = _choose(query, key, value)
    with torch.autocast(query.device.type, enabled=False):
        if impl in _FITTED:  # to all queries together
            return _IMPLS[impl](query, key, value, scale)
        exact = _IMPLS[impl]
        return ranks.by_rows(lambda q, k, v: exact(q, k, v, scale), query, key, value)


def _autocast(x: Tensor) -> Tensor:
    eligible = x.is_floating_point() and x.dtype != torch.float64
    return x.to(torch.get_autocast_dtype(x.device.type)) if eligible else x


def _choose(query: Tensor, key: Tensor, value: Tensor) -> Impl:
    if query.size(0) * key.size(0) <= TILE[0] * TILE[1]:
        return "reference"
    suits = _capability(query) >= (8, 0) and not _triton_lacks(query, value)
    return "triton" if suits else "tiled"


def _capability(x: Tensor) -> tuple[int, int]:
    if not x.is_cuda:
        return 0, 0
    device = torch.cuda.get_device_properties(x.device)
    return device.major, device.minor


def _triton_lacks(query: Tensor, value: Tensor, approx: bool = False) -> str | None:
    """What keeps the kernels from running, if anything does."""
    if not _HAS_TRITON:
        return "the package triton, which is not installed"
    if query.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"float32, bfloat16 or float16 (got {query.dtype})"
    if (channels := max(query.size(1), value.size(1))) > 256:
        return f"at most 256 channels (got {channels})"
    if approx:
        if torch.version.hip or _capability(query) < (7, 5):
            return f"a CUDA device of compute capability 7.5 or higher (got {query.device})"
    elif not query.is_cuda:
        from crane_pyg.ops.attention.triton_fused import INTERPRETED

        if not INTERPRETED:
            return f"CUDA tensors, or TRITON_INTERPRET=1 (got {query.device})"
    return None


def _validate(query: Tensor, key: Tensor, value: Tensor, scale: float) -> None:
    tensors = {"query": query, "key": key, "value": value}
    for name, x in tensors.items():
        if x.dim() != 2:
            raise ValueError(f"{name} must be 2-dimensional (got shape {tuple(x.shape)})")
        if not x.is_floating_point():
            raise ValueError(f"{name} must be floating point (got {x.dtype})")
        if x.dtype != query.dtype:
            raise ValueError(f"{name} must have query's dtype {query.dtype} (got {x.dtype})")
        if x.device != query.device:
            raise ValueError(f"{name} must be on query's device {query.device} (got {x.device})")
    if query.size(1) != key.size(1):
        raise ValueError(
            f"query and key must have equally many channels (got {query.size(1)} and {key.size(1)})"
        )
    if key.size(0) != value.size(0):
        raise ValueError(
            f"key and value must have equally many rows (got {key.size(0)} and {value.size(0)})"
        )
    if not isinstance(scale, int | float) or not abs(scale) < math.inf:
        raise ValueError(f"scale must be a finite number (got {scale})")
