"""Half a step of alternating least squares."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.ops.csr import CSRGraph

_CHUNK = 1 << 20  # entries of rows gathered, and of systems solved, at a time
_CHUNK_CUDA = 1 << 26


@torch.no_grad()
def alternating_least_squares(graph: CSRGraph, x: Tensor, l2: Tensor, alpha0: float) -> Tensor:
    r"""The best embeddings of one side of the interactions, where those of the other are given.

    .. math::
        \mathbf{w}_u = \Big( \sum_{i \in \mathcal{N}(u)} \mathbf{x}_i \mathbf{x}_i^{\top}
        + \alpha_0 \mathbf{X}^{\top} \mathbf{X} + \lambda_u \mathbf{I} \Big)^{-1}
        \sum_{i \in \mathcal{N}(u)} \mathbf{x}_i

    Args:
        graph: edges from the given side to the wanted one; weights are not looked at.
        x (Tensor): embeddings of the given side.
        l2 (Tensor): :math:`\lambda_u`, positive.
        alpha0: :math:`\alpha_0`, weight of all pairs as negatives.

    Shapes:
        - **x:** ``[num_src, d]``, **l2:** ``[num_dst]``
        - **output:** ``[num_dst, d]``, rows of zeros where there is no edge

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import alternating_least_squares, csr_graph
        >>> taken = torch.tensor([[0, 1, 1], [0, 0, 1]])  # item, user
        >>> graph = csr_graph(taken, size=(2, 2))
        >>> alternating_least_squares(graph, torch.eye(2), l2=torch.ones(2), alpha0=0.0)
        tensor([[0.5000, 0.5000],
                [0.0000, 0.5000]])
    """
    dim, chunk = x.size(1), _CHUNK_CUDA if x.is_cuda else _CHUNK
    shared = alpha0 * (x.T @ x)
    padded = F.pad(x, (0, 0, 0, 1))  # what rows are filled up with, so that all are as long
    out = x.new_zeros(graph.num_dst, dim)
    degree, order = graph.in_degree.sort()
    first = int((degree == 0).sum())
    while first < order.numel():
        # Rows of nearly equal length are solved together, as many as the longest leaves room for.
        last = min(first + max(1, chunk // dim**2), order.numel())
        width = int(degree[last - 1])
        last = min(last, first + max(1, chunk // (dim * width)))
        rows, width = order[first:last], int(degree[last - 1])
        place = torch.arange(width, device=x.device)
        inside = place < degree[first:last].unsqueeze(1)
        entry = (graph.rowptr[rows].unsqueeze(1) + place).clamp(max=graph.col.numel() - 1)
        taken = padded[graph.col[entry].long().masked_fill(~inside, graph.num_src)]  # [b, width, d]
        system = torch.baddbmm(shared, taken.mT, taken)
        system.diagonal(dim1=1, dim2=2).add_(l2[rows].unsqueeze(1))
        factor = torch.linalg.cholesky(system)
        out[rows] = torch.cholesky_solve(taken.sum(1).unsqueeze(2), factor).squeeze(2)
        first = last
    return out
