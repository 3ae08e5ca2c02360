from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion import Fusion, Space
from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.nn.graphs.edges import Edges
from crane_pyg.nn.graphs.weighing import choose_shares
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import CSRGraph, csr_graph, modality_knn_graph
from crane_pyg.transforms import row_normalize


class LearnedItemGraph(ItemGraph):
    r"""Links each item to its :math:`k` nearest by what a fusion makes of its modalities (eq. 14).

    Neighbours are the nearest by cosine over the modalities that the item has, see
    :func:`~crane_pyg.ops.modality_knn_graph`. Which ones are chosen is discrete; their weights are
    differentiable, and it is by these that the fusion learns. A fusion of several spaces gives
    :math:`k` neighbours in each, and the mean of these graphs.

    Args:
        fusion (Fusion): what items are compared by.
        k (int): neighbours of each item. (default: ``10``)
        loop (bool): whether an item is the first of its own neighbours. (default: ``True``)

    Shapes:
        - **output:** :class:`~crane_pyg.ops.CSRGraph` of N items; weights sum to one over each
          item's neighbours
    """

    def __init__(self, fusion: Fusion, k: int = 10, *, loop: bool = True) -> None:
        super().__init__()
        self.fusion = fusion
        self.k = k
        self.loop = loop

    @property
    def learns(self) -> bool:
        return self.fusion.learns

    @property
    def degree(self) -> int:
        return self.k * self.fusion.num_spaces

    def reset_parameters(self) -> None:
        self.fusion.reset_parameters()

    def forward(self, data: HeteroData) -> CSRGraph:
        num_items = data["item"].num_nodes
        spaces: list[Space] = self.fusion(data)
        if len(spaces) == 1:
            edges = self._link(spaces[0].parts, spaces[0].masks)
        else:
            edges = self._mean(spaces)
        return csr_graph(*edges, size=(num_items, num_items))

    def _link(self, parts: Sequence[Tensor], masks: Sequence[Tensor]) -> Edges:
        edge_index, weight = modality_knn_graph(parts, masks, self.k, loop=self.loop)
        return edge_index, row_normalize(edge_index, weight, parts[0].size(0))

    def _mean(self, spaces: Sequence[Space]) -> Edges:
        """The mean over the spaces that an item is in; the others give it edges that weigh 0, so
        that all items have equally many."""
        edges, weights = [], []
        known = torch.stack([mask for space in spaces for mask in space.masks]).any(0)
        for parts, masks, share in spaces:
            edge_index, weight = self._link(parts, masks)
            absent = known & ~torch.stack(masks).any(0)
            lacking = absent.nonzero().view(-1).repeat_interleave(self.k)
            edges += [edge_index, lacking.expand(2, -1)]
            weights += [share * weight, weight.new_zeros(lacking.numel())]
        edge_index, weight = torch.cat(edges, dim=1), torch.cat(weights)
        order = edge_index[1].argsort(stable=True)
        edge_index = edge_index[:, order]
        return edge_index, row_normalize(edge_index, weight[order], known.numel())

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> None:
        """Start from the features' own geometry, and weigh the modalities by how well the graph
        then recommends, see :func:`~crane_pyg.nn.graphs.choose_shares`.

        Args:
            data: as :meth:`forward` takes it.
        """
        xs = self.fusion.warm_start(data)
        # Among items that have all modalities: gaps say nothing of what a modality is worth.
        complete = torch.stack([*self.fusion.masks(data).values()]).all(0)
        if len(xs) > 1 and complete.sum() > self.k:  # else every item is a neighbour
            shares = choose_shares(xs, complete, item_to_user_graph(data), self.k)
            chosen = [shares.get(m, 0.0) for m in xs]
            self.fusion.modality_share.copy_(self.fusion.modality_share.new_tensor(chosen))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.fusion}, k={self.k})"
