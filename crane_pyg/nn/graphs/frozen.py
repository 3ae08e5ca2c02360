from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.nn.graphs.edges import Edges, sum_edges
from crane_pyg.nn.kept import KeptFor
from crane_pyg.ops import CSRGraph, csr_graph, edge_cosine, knn_graph
from crane_pyg.schema import VISUAL, check_modalities
from crane_pyg.transforms import symmetric_norm


class FrozenItemGraph(ItemGraph):
    r"""The item-item graph on raw features that is built before training and stays as it is.

    .. math::
        \mathbf{S} = \sum_m \alpha_m \mathbf{D}_m^{-1/2} \mathbf{A}_m \mathbf{D}_m^{-1/2}

    :math:`\mathbf{A}_m` links each item to its :math:`k` nearest by the cosine of modality
    :math:`m`; :math:`\mathbf{D}_m` holds its row sums. FREEDOM has ones in :math:`\mathbf{A}_m`,
    LATTICE the cosines. An item that lacks a modality neither has nor is a neighbour there. Built
    once per ``data`` and kept out of the ``state_dict``.

    Args:
        shares (dict): :math:`\alpha_m` by modality, see :func:`modality_shares`.
        k (int): neighbours of each item in each modality. (default: ``10``)
        loop (bool): whether an item is the first of its own neighbours. (default: ``True``)
        cosine (bool): weigh edges by their cosine instead of by one. (default: ``False``)

    Raises:
        ValueError: if there is no modality, or :math:`k` is not below the number of items of one.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.graphs import FrozenItemGraph, modality_shares
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> shares = modality_shares(["textual", "visual"])
        >>> graph = FrozenItemGraph(shares, k=5)(data)
        >>> graph.num_src, graph.num_dst, graph.edge_index.shape == (2, graph.weight.numel())
        (200, 200, True)
    """

    def __init__(
        self, shares: Mapping[str, float], k: int = 10, *, loop: bool = True, cosine: bool = False
    ) -> None:
        super().__init__()
        check_modalities(shares)
        self.shares = dict(shares)
        self.k = k
        self.loop = loop
        self.cosine = cosine
        self._parts = KeptFor[dict[str, Edges]]()
        self._graph = KeptFor[CSRGraph]()

    def forward(self, data: HeteroData) -> CSRGraph:
        return self._graph(self._source(data), lambda: self._sum(data))

    def parts(self, data: HeteroData) -> dict[str, Edges]:
        """The normalised graph of each modality, the same object for the same ``data``.

        Args:
            data: as :meth:`forward` takes it.

        Shapes:
            - **output:** ``edge_index`` ``[2, E]`` and ``edge_weight`` ``[E]`` each
        """
        store = data["item"]
        return self._parts(
            self._source(data),
            lambda: {m: self._part(m, store[f"x_{m}"], store[f"{m}_mask"]) for m in self.shares},
        )

    def _source(self, data: HeteroData) -> tuple[Tensor, ...]:
        store = data["item"]
        return tuple(store[key] for m in self.shares for key in (f"x_{m}", f"{m}_mask"))

    @torch.no_grad()
    def _sum(self, data: HeteroData) -> CSRGraph:
        num_items = data["item"].num_nodes
        edges = sum_edges(list(self.parts(data).values()), self.shares.values(), num_items)
        return csr_graph(*edges, size=(num_items, num_items))

    @torch.no_grad()
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

    Examples:
        >>> from crane_pyg.nn.graphs import modality_shares
        >>> modality_shares(["text", "image"])
        {'text': 0.9, 'image': 0.1}
        >>> modality_shares(["text", "audio"])
        {'text': 0.5, 'audio': 0.5}
    """
    names = list(modalities)
    others = [m for m in names if m not in VISUAL]
    if not others or len(others) == len(names):
        return {m: 1 / len(names) for m in names}
    return {m: visual if m in VISUAL else (1 - visual) / len(others) for m in names}
