"""How far an implementation is from the definition, on the user's own data."""

import torch
from torch import Tensor

from crane_pyg.ops.attention.api import Impl, tanh_attention
from crane_pyg.ops.attention.tiled import tiled


@torch.no_grad()
def tanh_attention_error(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float = 1.0,
    impl: Impl = "nystrom",
    num_samples: int = 256,
) -> float:
    r"""The relative error of :func:`tanh_attention` in the Frobenius norm.

    .. math::
        \lVert \hat{\mathbf{O}} - \mathbf{O} \rVert_F \, / \, \lVert \mathbf{O} \rVert_F

    over queries drawn at random, whose exact :math:`\mathbf{O}` is computed in float64: two percent
    of an exact pass at :math:`n = 12{,}800`, less above.

    Args:
        query, key, value, scale, impl: as :func:`tanh_attention` takes them.
        num_samples (int): The number of queries to judge by. (default: :obj:`256`)

    Shapes:
        - **query:** ``[n, d]``, **key:** ``[m, d]``, **value:** ``[m, dv]``

    Returns:
        0 where the exact answer is zero and so is the other; infinite where only the exact one is.

    Raises:
        ValueError: as :func:`tanh_attention` does, or if :obj:`num_samples` is not positive.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1 (got {num_samples})")
    out = tanh_attention(query, key, value, scale=scale, impl=impl)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(query.size(0), generator=generator)[:num_samples].to(query.device)
    exact = tiled(query[rows].double(), key.double(), value.double(), scale)
    error = torch.linalg.norm(out[rows].double() - exact)
    return float(torch.where(error == 0, 0.0, error / torch.linalg.norm(exact)))
