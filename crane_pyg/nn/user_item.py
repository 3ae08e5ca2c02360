"""The interactions of a data set as graphs that layers walk on."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.ops import CSRGraph, csr_graph, spmm
from crane_pyg.ops.ranges import ranges
from crane_pyg.schema import USER_TO_ITEM, sizes
from crane_pyg.transforms import bipartite_norm


def user_item_graphs(data: HeteroData) -> tuple[CSRGraph, CSRGraph]:
    """User-to-item and item-to-user edges with Laplacian weights (eq. 1 and 3-4).

    Args:
        data: the graph; its edges from users to items count.
    """
    edge_index, size = data[USER_TO_ITEM].edge_index, sizes(data)
    graph = csr_graph(edge_index, bipartite_norm(edge_index, size), size=size)
    return graph, graph.transpose()


def item_to_user_graph(data: HeteroData) -> CSRGraph:
    """Item-to-user edges with weights of one.

    Args:
        data: the graph; its edges from users to items count.
    """
    num_users, num_items = sizes(data)
    return csr_graph(data[USER_TO_ITEM].edge_index.flip(0), size=(num_items, num_users))


def modality_masks(data: HeteroData, modalities: Iterable[str]) -> tuple[Tensor, Tensor]:
    """Which users and items have which modalities; a user has those of any item they took.

    Args:
        data: the graph; its edges from users to items count.
        modalities: names, in the order of the columns.

    Shapes:
        - **output:** ``[M, K]`` and ``[N, K]`` bool
    """
    item = torch.stack([data["item"][f"{m}_mask"] for m in modalities], dim=1)
    return spmm(item_to_user_graph(data), item.float()) > 0, item


def history_graph(graph: CSRGraph, users: Tensor) -> CSRGraph:
    """All items of some users: edges from items to the places of ``users``, with weights of one.

    Args:
        graph: item-to-user edges.
        users (Tensor): whose histories are wanted.

    Shapes:
        - **users:** ``[B]``
    """
    row, entry = ranges(graph.rowptr[users].long(), graph.in_degree[users].long())
    return csr_graph(
        torch.stack([graph.col[entry].long(), row]), size=(graph.num_src, users.numel())
    )
