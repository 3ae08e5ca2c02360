from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Linear, Parameter
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.nn.graphs.edges import Edges, sum_edges
from crane_pyg.nn.graphs.frozen import FrozenItemGraph
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.ops import CSRGraph, csr_graph, edge_cosine, knn_graph
from crane_pyg.transforms import symmetric_norm


class LatentItemGraph(ItemGraph):
    r"""The learned graph of LATTICE: neighbours by raw features, which stay, beside neighbours by
    projected ones, which are learned.

    .. math::
        \mathbf{S} = \lambda \sum_m \alpha_m \mathcal{L}(\mathrm{knn}(\mathbf{x}^m))
        + (1 - \lambda) \, \mathcal{L} \Big( \sum_m \alpha_m
        \mathrm{knn}(\mathbf{W}_m \mathbf{x}^m + \mathbf{b}_m) \Big)

    with knn the cosines of the :math:`k` nearest, an item among its own, :math:`\mathcal{L}` the
    symmetric Laplacian and :math:`\alpha` a softmax.

    Args:
        num_items (int): :math:`N`.
        modalities (dict): width of the features of each modality, by name.
        k (int): neighbours of each item in each modality. (default: ``10``)
        skip (float): :math:`\lambda`. (default: ``0.9``)
        feature_dim (int): rows of :math:`\mathbf{W}`. (default: ``64``)
        trainable_features (bool): :math:`\mathbf{x}^m` are parameters in the learned part, which
            :meth:`warm_start` fills. (default: ``False``)

    Raises:
        ValueError: if there is no modality.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.graphs import LatentItemGraph
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> item_graph = LatentItemGraph(200, {"textual": 32, "visual": 64}, k=5)
        >>> item_graph(data).weight.requires_grad
        True
    """

    def __init__(
        self,
        num_items: int,
        modalities: Mapping[str, int],
        k: int = 10,
        *,
        skip: float = 0.9,
        feature_dim: int = 64,
        trainable_features: bool = False,
    ) -> None:
        super().__init__()
        self.k = k
        self.skip = skip
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        self.lin = ByModality({m: Linear(width, feature_dim) for m, width in modalities.items()})
        self.modality_logit = Parameter(torch.zeros(len(modalities)))
        self.raw = FrozenItemGraph(dict.fromkeys(modalities, 1.0), k, cosine=True)

    def reset_parameters(self) -> None:
        """Draw the projections anew; features that train stay as they are."""
        reset(self.lin)
        torch.nn.init.zeros_(self.modality_logit)

    def warm_start(self, data: HeteroData) -> None:
        self.features.start_from(data)

    def forward(self, data: HeteroData) -> CSRGraph:
        num_items, raw = data["item"].num_nodes, self.raw.parts(data)
        share = self.modality_logit.softmax(0)
        edge_index, weight = sum_edges(self._nearest(data), share, num_items)
        parts = [*raw.values(), (edge_index, symmetric_norm(edge_index, weight, num_items))]
        weights = [*(self.skip * share), 1 - self.skip]
        return csr_graph(*sum_edges(parts, weights, num_items), size=(num_items, num_items))

    def _nearest(self, data: HeteroData) -> list[Edges]:
        """For each modality the neighbours by its projected features, and their cosines."""
        found: list[tuple[Tensor, Tensor]] = []
        for m, lin in self.lin.items():
            x, mask = lin(self.features(data, m)), data["item"][f"{m}_mask"]
            edge_index = knn_graph(x.detach(), self.k, loop=True, mask=mask)
            found.append((edge_index, edge_cosine(x, edge_index)))
        return found

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.features.modalities}, k={self.k}, skip={self.skip})"
        )
