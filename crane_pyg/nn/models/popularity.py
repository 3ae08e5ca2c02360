from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.fold_in import FoldIn, FoldInTerm
from crane_pyg.nn.models.solved import SolvedRecommender
from crane_pyg.schema import USER_TO_ITEM, sizes


class Popularity(SolvedRecommender):
    """The same items for everyone, those that most users took first: what others must beat.

    Its embeddings are one number wide: how often an item was taken, and one for each user.

    Args:
        num_items (int): size.
    """

    out_channels = 1
    propagates: ClassVar[bool] = False
    count: Tensor

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(num_items))

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(sizes(data)[1], **kwargs)

    def reset_parameters(self) -> None:
        self.count.zero_()

    def solve(self, data: HeteroData) -> dict[str, Tensor]:
        item = data[USER_TO_ITEM].edge_index[1]
        self.count.copy_(torch.bincount(item, minlength=self.count.numel()))
        return {}

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.count.new_ones(sizes(data)[0], 1), self.count.unsqueeze(1)

    def fold_in(self, data: HeteroData) -> FoldIn:
        nothing = FoldInTerm(torch.zeros_like(self.count).unsqueeze(1), 0, 0)
        return FoldIn([nothing], self.count.new_ones(1))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.count.numel()})"
