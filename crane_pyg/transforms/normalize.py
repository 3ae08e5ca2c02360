"""Edge weights of the user-item and the item-item graph."""

import torch
from torch import Tensor
from torch_geometric.utils import degree


def bipartite_norm(edge_index: Tensor, size: tuple[int, int]) -> Tensor:
    r"""Symmetric Laplacian weights :math:`1 / \sqrt{d_u d_i}` of a bipartite graph (eq. 3-4).

    Args:
        edge_index (Tensor): ``[2, E]``, sources first.
        size: number of sources and of destinations.

    Returns:
        ``[E]`` float32.
    """
    src, dst = edge_index
    deg_src = degree(src, size[0], dtype=torch.float32)
    deg_dst = degree(dst, size[1], dtype=torch.float32)
    return (deg_src[src] * deg_dst[dst]).rsqrt()


def row_normalize(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    r"""Weights that sum to one over each destination's edges, in absolute value (paper, eq. 15).

    Differentiable. The absolute value matters only where a neighbour's cosine is negative: a plain
    sum could come near zero and blow the row up. A row of zeros stays zero.

    Args:
        edge_index (Tensor): ``[2, E]``, sources first.
        edge_weight (Tensor): ``[E]``.
        num_nodes: number of destinations.

    Returns:
        ``[E]``, in the dtype of :obj:`edge_weight`.
    """
    total = edge_weight.new_zeros(num_nodes).index_add(0, edge_index[1], edge_weight.abs())
    return edge_weight / total.clamp(min=1e-12)[edge_index[1]]


def symmetric_norm(edge_index: Tensor, edge_weight: Tensor, num_nodes: int) -> Tensor:
    r"""Laplacian weights :math:`\mathbf{D}^{-1/2} \mathbf{A} \mathbf{D}^{-1/2}` of a graph on one
    set of nodes, as FREEDOM and LATTICE weigh their item graphs.

    Differentiable. :math:`\mathbf{D}` holds the sums over each destination's edges, also for the
    sources, so that a nearest-neighbour graph need not be symmetric; a sum that is not positive
    makes the weights of its edges zero.

    Args:
        edge_index (Tensor): ``[2, E]``, sources first.
        edge_weight (Tensor): ``[E]``.
        num_nodes: number of nodes.

    Returns:
        ``[E]``, in the dtype of :obj:`edge_weight`.
    """
    src, dst = edge_index
    total = edge_weight.new_zeros(num_nodes).index_add(0, dst, edge_weight)
    positive = total > 0
    scale = torch.where(positive, total, 1).rsqrt() * positive
    return scale[src] * edge_weight * scale[dst]
