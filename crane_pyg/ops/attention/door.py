"""The door of tanh attention: checks its input and chooses."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from crane_pyg.ops.attention.reference import reference
from crane_pyg.ops.attention.tiled import TILE, tiled

_IMPLS: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "reference": reference,
    "tiled": tiled,
}


def tanh_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float = 1.0,
    impl: str = "auto",
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
            one tile of it at a time, also in the backward pass, and cannot be differentiated
            twice; :obj:`"auto"` takes the reference where the matrix fits in one tile.
            (default: :obj:`"auto"`)

    Computes in the dtype of its inputs, half precision accumulated in float32 by
    :obj:`"tiled"`, whether or not autocast is on.

    Shapes:
        - **query:** :math:`(n, d)`, **key:** :math:`(m, d)`, **value:** :math:`(m, d_v)`
        - **output:** :math:`(n, d_v)`

    Raises:
        ValueError: if shapes, dtypes or devices do not agree, the scale is not finite, or the
            implementation is unknown.
    """
    _validate(query, key, value, scale)
    if impl == "auto":
        matrix, tile = query.size(0) * key.size(0), TILE[0] * TILE[1]
        impl = "reference" if matrix <= tile else "tiled"
    if impl not in _IMPLS:
        raise ValueError(f"impl must be one of {['auto', *_IMPLS]} (got {impl!r})")
    with torch.autocast(query.device.type, enabled=False):
        return _IMPLS[impl](query, key, value, scale)


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
    if not isinstance(scale, int | float) or not math.isfinite(scale):
        raise ValueError(f"scale must be a finite number (got {scale})")
