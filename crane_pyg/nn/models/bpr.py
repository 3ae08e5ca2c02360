from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import L2, BPRLoss, Norm, Objective, RankingLoss, Triplets
from crane_pyg.schema import sizes


class BPR(Recommender):
    r"""Matrix factorisation from `"BPR: Bayesian Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1205.2618>`_.

    .. math::
        \hat{y}_{ui} = \mathbf{e}_u^{\top} \mathbf{e}_i, \qquad
        \mathcal{L} = -\log \sigma(\hat{y}_{ui} - \hat{y}_{uj}) + \lambda \, \Omega

    The paper's :math:`\Omega` is the squared norm of what a triplet touches. The numbers in the
    multimodal literature come from MMRec, whose :math:`\Omega` is the norm itself, of the whole
    batch's users, positives and negatives, over the batch size; so is the default here, in a term
    ``norm``. MMRec searches :math:`\lambda` in 2, 1, 1e-1, ..., 1e-5 and publishes no choice.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``, MMRec's)
        l2 (float): :math:`\lambda`. (default: ``0.1``)
        squared (bool): the paper's :math:`\Omega`, per row of the batch and halved, in a term
            ``l2``. (default: ``False``)
        ranking (RankingLoss, optional): in the place of BPR's.
    """

    objective: Objective
    propagates: ClassVar[bool] = False
    tables = ("user_embedding", "item_embedding")

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        l2: float = 0.1,
        squared: bool = False,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        regulariser = L2(l2) if squared else Norm(l2)
        self.objective = Objective(ranking or BPRLoss(), regulariser=regulariser)
        self.out_channels = embedding_dim
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_normal_(self.user_embedding.weight)
        torch.nn.init.xavier_normal_(self.item_embedding.weight)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.user_embedding.weight, self.item_embedding.weight

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        items = torch.stack([pos, neg])
        e_user, e_item = self.columns.whole(self.user_embedding(user), self.item_embedding(items))
        return self.objective(Triplets(e_user, e_item, user, items), embeddings=[e_user, *e_item])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim})"
        )
