from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import coalesce

from crane_pyg.ops import CSRGraph, csr_graph, edge_cosine, knn_graph
from crane_pyg.schema import VISUAL
from crane_pyg.transforms import symmetric_norm

Edges = tuple[Tensor, Tensor]  # edge_index [2, E], neighbours first, and edge_weight [E]


class FrozenItemGraph(torch.nn.Module):
    r"""The item-item graph on raw features that is built before training and stays as it is.

    .. math::
        \mathbf{S} = \sum_m \alpha_m \mathbf{D}_m^{-1/2} \mathbf{A}_m \mathbf{D}_m^{-1/2}

    :math:`\mathbf{A}_m` links each item to its :math:`k` nearest by the cosine of modality
    :math:`m`; :math:`\mathbf{D}_m` holds its row sums. FREEDOM has ones in :math:`\mathbf{A}_m`,
    LATTICE the cosines. Built once per ``data`` and kept out of the ``state_dict``.

    Args:
        shares (dict): :math:`\alpha_m` by modality, see :func:`modality_shares`.
        k (int): neighbours of each item in each modality. (default: ``10``)
        loop (bool): whether an item is the first of its own neighbours. (default: ``True``)
        cosine (bool): weigh edges by their cosine instead of by one. (default: ``False``)

    Shapes:
        - **data['item']:** ``x_m`` ``[N, d_m]`` and ``m_mask`` ``[N]`` bool; an item that lacks a
          modality neither has nor is a neighbour there
        - **output:** :class:`~crane_pyg.ops.CSRGraph` of N items

    Raises:
        ValueError: if there is no modality, or :math:`k` is not below the number of items of one.
    """

    def __init__(
        self, shares: Mapping[str, float], k: int = 10, *, loop: bool = True, cosine: bool = False
    ) -> None:
        super().__init__()
        if not shares:
            raise ValueError("the data must have item features (got no modality)")
        self.shares = dict(shares)
        self.k = k
        self.loop = loop
        self.cosine = cosine
        self._built_from: tuple[Tensor, ...] = ()
        self._parts: dict[str, Edges] = {}
        self._graph: CSRGraph | None = None

    def __getstate__(self) -> dict[str, object]:
        """A copy builds its own graph: it would otherwise carry the features along."""
        return self.__dict__ | {"_built_from": (), "_parts": {}, "_graph": None}

    def forward(self, data: HeteroData) -> CSRGraph:
        parts = self.parts(data)
        if self._graph is None:
            num_items = data["item"].num_nodes
            edges = sum_edges(list(parts.values()), self.shares.values(), num_items)
            self._graph = csr_graph(*edges, size=(num_items, num_items))
        return self._graph

    @torch.no_grad()
    def parts(self, data: HeteroData) -> dict[str, Edges]:
        """The normalised graph of each modality, the same object for the same ``data``."""
        store = data["item"]
        source = tuple(store[key] for m in self.shares for key in (f"x_{m}", f"{m}_mask"))
        known = len(source) == len(self._built_from)
        if not known or any(a is not b for a, b in zip(source, self._built_from)):
            pairs = zip(source[::2], source[1::2])
            parts = {m: self._part(m, x, mask) for m, (x, mask) in zip(self.shares, pairs)}
            self._built_from, self._parts, self._graph = source, parts, None
        return self._parts

    def _part(self, modality: str, x: Tensor, mask: Tensor) -> Edges:
        if self.k >= mask.sum():
            raise ValueError(
                f"k must be smaller than the number of items with the modality {modality!r} "
                f"(got k={self.k}, items={int(mask.sum())})"
            )
        edge_index = knn_graph(x, self.k, loop=self.loop, mask=mask)
        weight = edge_cosine(x, edge_index) if self.cosine else x.new_ones(edge_index.size(1))
        return edge_index, symmetric_norm(edge_index, weight, x.size(0))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.shares}, k={self.k}, cosine={self.cosine})"


def modality_shares(modalities: Iterable[str], visual: float = 0.1) -> dict[str, float]:
    """``visual`` for the modality of that name, or ``image``; the others share the rest equally.

    Equal parts for all where there is no such modality, or no other.
    """
    names = list(modalities)
    others = [m for m in names if m not in VISUAL]
    if not others or len(others) == len(names):
        return {m: 1 / len(names) for m in names}
    return {m: visual if m in VISUAL else (1 - visual) / len(others) for m in names}


def sum_edges(parts: Sequence[Edges], weights: Iterable[Tensor | float], num_nodes: int) -> Edges:
    """The weighted sum of graphs on the same nodes, each edge once; differentiable.

    Args:
        parts: ``edge_index`` and ``edge_weight`` of each graph.
        weights: one number for each.
        num_nodes: of all.
    """
    edge_index = torch.cat([edges for edges, _ in parts], dim=1)
    edge_weight = torch.cat([w * part[1] for w, part in zip(weights, parts, strict=True)])
    merged: Edges = coalesce(edge_index, edge_weight, num_nodes, reduce="sum")
    return merged
