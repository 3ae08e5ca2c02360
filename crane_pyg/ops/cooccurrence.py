"""How many users took both of two items."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor


def interaction_matrix(edge_index: Tensor, size: tuple[int, int]) -> csr_array:
    """The users' items as a sparse matrix on the host, an entry of one for each distinct pair.

    Args:
        edge_index (Tensor): ``[2, E]``, users first.
        size: number of users and of items.

    Returns:
        ``[users, items]`` float32, its columns in order.

    Raises:
        ValueError: if an index lies outside ``size`` or the shape does not match.
    """
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index must be [2, E] (got {list(edge_index.shape)})")
    for name, index, count in zip(("user", "item"), edge_index, size, strict=True):
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < count:
            low, high = int(index.min()), int(index.max())
            raise ValueError(f"{name} indices must lie in [0, {count}) (got {low}..{high})")
    user, item = torch.unique(edge_index, dim=1).cpu().numpy()
    return csr_array((np.ones(user.size, np.float32), (user, item)), shape=size)


def cooccurrence(edge_index: Tensor, size: tuple[int, int]) -> Tensor:
    r"""The Gram matrix :math:`\mathbf{X}^{\top} \mathbf{X}` of the interactions, dense.

    Args:
        edge_index (Tensor): ``[2, E]``, users first.
        size: number of users and of items.

    Returns:
        ``[items, items]`` float32 on the device of ``edge_index``: the number of users who took
        both, on the diagonal that of the item's own.

    Raises:
        ValueError: as :func:`interaction_matrix`.
    """
    taken = interaction_matrix(edge_index, size)
    return torch.from_numpy((taken.T @ taken).toarray(order="C")).to(edge_index.device)
