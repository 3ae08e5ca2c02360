from collections.abc import Iterable

import torch
from torch_geometric.data import HeteroData
from torch_geometric.utils import coalesce

from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.nn.graphs.frozen import FrozenItemGraph
from crane_pyg.nn.kept import KeptFor
from crane_pyg.ops import CSRGraph, csr_graph


class PooledItemGraph(ItemGraph):
    r"""The edges of several frozen graphs in one, each with the greatest of its weights in them.

    .. math::
        S_{ij} = \max_v S^v_{ij}

    over the graphs :math:`v` that have the edge, as SMORE pools those of its modalities. Built once
    per ``data`` and kept out of the ``state_dict``.

    Args:
        graphs: at least one.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.graphs import FrozenItemGraph, PooledItemGraph
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> pooled = PooledItemGraph(FrozenItemGraph({m: 1.0}, k=5) for m in ("textual", "visual"))
        >>> pooled(data).num_dst
        200
    """

    def __init__(self, graphs: Iterable[FrozenItemGraph]) -> None:
        super().__init__()
        self.graphs = torch.nn.ModuleList(graphs)
        self._graph = KeptFor[CSRGraph]()

    def forward(self, data: HeteroData) -> CSRGraph:
        parts: list[CSRGraph] = [graph(data) for graph in self.graphs]
        return self._graph(tuple(part.weight for part in parts), lambda: _pool(parts))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({', '.join(map(repr, self.graphs))})"


@torch.no_grad()
def _pool(parts: list[CSRGraph]) -> CSRGraph:
    num_items = parts[0].num_dst
    edge_index = torch.cat([part.edge_index for part in parts], dim=1)
    weight = torch.cat([part.weight for part in parts])
    edges = coalesce(edge_index, weight, num_items, reduce="max")
    return csr_graph(*edges, size=(num_items, num_items))
