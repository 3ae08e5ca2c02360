"""The item-item semantic graph on the raw features (paper, eq. 14-15)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData
from torch_geometric.transforms import BaseTransform

from crane_pyg.choices import check_choice
from crane_pyg.ops import KNNImpl, modality_knn_graph
from crane_pyg.schema import modalities
from crane_pyg.transforms.normalize import row_normalize


class AddSimilarItems(BaseTransform):
    r"""Adds edges ``('item', 'similar', 'item')`` from each item's :math:`k` most similar items.

    Similar is by cosine on the concatenated modalities that the item has, each L2-normalised first
    so that none outweighs another; what items lack is no similarity, as in
    :func:`~crane_pyg.ops.modality_knn_graph`. An item without any modality neither has nor is a
    neighbour. PyG's ``KNNGraph`` knows neither modalities nor weights.

    Args:
        k: number of neighbours.
        modalities: names :math:`m` to use. (default: all that ``data['item']`` has)
        loop: whether an item is among its own :math:`k` neighbours. (default: ``False``)
        impl: implementation of :func:`~crane_pyg.ops.knn_graph`. (default: ``'auto'``)

    Shapes:
        - **data['item']:** ``x_m`` ``[N, d_m]`` and, optionally, ``m_mask`` ``[N]`` bool
        - **data['item', 'similar', 'item']:** ``edge_index`` ``[2, E]``, neighbours first, and
          ``edge_weight`` ``[E]``, the cosines as :func:`~crane_pyg.transforms.row_normalize` leaves
          them

    Raises:
        ValueError: if there is no modality or an unknown one, the implementation is unknown, or
            :math:`k` does not suit the number of items.
    """

    def __init__(
        self,
        k: int,
        modalities: Sequence[str] | None = None,
        *,
        loop: bool = False,
        impl: KNNImpl = "auto",
    ) -> None:
        check_choice("impl", impl, KNNImpl)
        self.k = k
        self.modalities = None if modalities is None else list(modalities)
        self.loop = loop
        self.impl = impl

    def forward(self, data: HeteroData) -> HeteroData:
        store = data["item"]
        known = list(modalities(data))
        names = known if self.modalities is None else self.modalities
        if not names or not set(names) <= set(known):
            raise ValueError(f"modalities must be some of {known} (got {names})")

        xs, masks = [], []
        for name in names:
            x = F.normalize(store[f"x_{name}"], dim=1)
            mask = store.get(f"{name}_mask", x.new_ones(x.size(0), dtype=torch.bool))
            xs.append(x.masked_fill(~mask.unsqueeze(1), 0))
            masks.append(mask)
        edges, cosine = modality_knn_graph(xs, masks, self.k, loop=self.loop, impl=self.impl)
        similar = data["item", "similar", "item"]
        similar.edge_index = edges
        similar.edge_weight = row_normalize(edges, cosine, xs[0].size(0))
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(k={self.k}, modalities={self.modalities}, loop={self.loop})"
        )
