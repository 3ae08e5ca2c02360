from typing import Any

from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn import linear
from crane_pyg.nn.models.solved import LinearRecommender
from crane_pyg.ops import Weighting
from crane_pyg.schema import sizes


class ItemKNN(LinearRecommender):
    r"""Item-based nearest neighbours, from `"Item-Based Top-N Recommendation Algorithms"
    <https://doi.org/10.1145/963770.963776>`_, by who took the items or by their features.

    .. math::
        \hat{y}_{uj} = \sum_{i \in \mathcal{N}(u) \cap \mathcal{N}_k(j)} S_{ij}

    By content it ranks items that nobody took, too: the mark for cold items.

    Args:
        num_items (int): size.
        k (int): neighbours of each item. (default: ``50``)
        by (str): ``'behaviour'`` or ``'content'``: the mean cosine of all modalities, centred.
            (default: ``'behaviour'``)
        weighting (str): ``'cosine'`` or ``'bm25'``, by behaviour, see
            :func:`~crane_pyg.ops.item_knn`. (default: ``'cosine'``)
        shrinkage (float): makes little of what few users say, by behaviour. (default: ``10``)

    Raises:
        ValueError: if a choice is unknown; when solving, if a number is out of range, or there are
            no features to compare by content.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import ItemKNN
        >>> from crane_pyg.training import fit
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = ItemKNN.from_data(data, by="content")
        >>> result = fit(model, data)
        >>> model.scorer(data)(torch.tensor([0, 7])).shape
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        k: int = 50,
        by: linear.By = "behaviour",
        weighting: Weighting = "cosine",
        shrinkage: float = 10.0,
    ) -> None:
        super().__init__(linear.ItemKNN(num_items, k, by, weighting, shrinkage))

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(sizes(data)[1], **kwargs)

    def __repr__(self) -> str:
        return repr(self.weights)
