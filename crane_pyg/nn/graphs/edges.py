from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch_geometric.utils import coalesce

Edges = tuple[Tensor, Tensor]  # edge_index [2, E], neighbours first, and edge_weight [E]


def sum_edges(parts: Sequence[Edges], weights: Iterable[Tensor | float], num_nodes: int) -> Edges:
    """The weighted sum of graphs on the same nodes, each edge once; differentiable.

    Args:
        parts: ``edge_index`` and ``edge_weight`` of each graph.
        weights: one number for each graph.
        num_nodes: number of nodes, the same in all graphs.

    Shapes:
        - **parts:** ``[2, E]`` and ``[E]`` each
        - **output:** ``edge_index`` and ``edge_weight`` of the sum, in the same shapes

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.graphs import sum_edges
        >>> first = torch.tensor([[0, 1], [1, 0]]), torch.ones(2)
        >>> second = torch.tensor([[0], [1]]), torch.ones(1)
        >>> sum_edges([first, second], [0.5, 0.25], num_nodes=2)
        (tensor([[0, 1],
                [1, 0]]), tensor([0.7500, 0.5000]))
    """
    edge_index = torch.cat([edges for edges, _ in parts], dim=1)
    edge_weight = torch.cat([w * part[1] for w, part in zip(weights, parts, strict=True)])
    merged: Edges = coalesce(edge_index, edge_weight, num_nodes, reduce="sum")
    return merged
