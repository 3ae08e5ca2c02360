from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.choices import check_choice
from crane_pyg.nn.linear.base import SparseItemToItem
from crane_pyg.ops import Weighting, item_knn, modality_knn_graph, unit_rows
from crane_pyg.schema import USER_TO_ITEM, check_modalities, modalities, sizes

By = Literal["behaviour", "content"]


class ItemKNN(SparseItemToItem):
    """Nearest neighbours of items, by who took them or by what they are.

    By behaviour similarities are those of :func:`~crane_pyg.ops.item_knn`. By content they are the
    mean of the cosines of all modalities, centred, over those that the item has itself (see
    :func:`~crane_pyg.ops.modality_knn_graph`): an item that nobody took has neighbours too.

    Args:
        num_items (int): :math:`N`.
        k (int): neighbours of each item. (default: ``50``)
        by (str): ``'behaviour'`` or ``'content'``. (default: ``'behaviour'``)
        weighting (str): ``'cosine'`` or ``'bm25'``, by behaviour. (default: ``'cosine'``)
        shrinkage (float): makes little of what few users say, by behaviour. (default: ``10``)

    Raises:
        ValueError: if a choice is unknown; when solving, if a number is out of range, or there are
            no features to compare by content.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.linear import ItemKNN
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> items = ItemKNN(200, k=20, by="content")
        >>> items.solve(data)
        >>> items(data, torch.tensor([0, 7])).shape  # two users, all items
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        k: int = 50,
        by: By = "behaviour",
        weighting: Weighting = "cosine",
        shrinkage: float = 10.0,
    ) -> None:
        super().__init__(num_items)
        check_choice("by", by, By)
        check_choice("weighting", weighting, Weighting)
        self.k = k
        self.by = by
        self.weighting = weighting
        self.shrinkage = shrinkage

    @torch.no_grad()
    def solve(self, data: HeteroData) -> None:
        if self.by == "content":
            self.keep(*self._by_content(data))
            return
        edges, weight = item_knn(
            data[USER_TO_ITEM].edge_index,
            sizes(data),
            self.k,
            weighting=self.weighting,
            shrinkage=self.shrinkage,
        )
        self.keep(edges, weight)

    def _by_content(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        check_modalities(modalities(data))
        masks = [data["item"][f"{m}_mask"] for m in modalities(data)]
        xs = []
        for m, mask in zip(modalities(data), masks, strict=True):
            x, lacks = data["item"][f"x_{m}"].float(), ~mask.unsqueeze(1)
            # What all items share tells none apart.
            mean = x.masked_fill(lacks, 0).sum(0) / mask.sum().clamp(min=1)
            xs.append(unit_rows((x - mean).masked_fill(lacks, 0)))
        known = int(torch.stack(masks).any(0).sum())
        return modality_knn_graph(xs, masks, min(self.k, known - 1))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.num_items}, k={self.k}, by={self.by!r}, "
            f"weighting={self.weighting!r}, shrinkage={self.shrinkage:g})"
        )
