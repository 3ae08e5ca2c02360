from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.models.recommender import Preset, Recommender
from crane_pyg.ops import distinct
from crane_pyg.ops.cooccurrence import interaction_matrix
from crane_pyg.schema import USER_TO_ITEM, sizes

_BLOCK = 1 << 22  # entries of the items' co-occurrence held at a time


class Constraints(NamedTuple):
    r"""What :class:`UltraGCN` knows of the interactions, computed once.

    Shapes:
        - **user:** ``[M]``, **item:** ``[N]``: the factors of :math:`\beta_{ui}`
        - **neighbour:** ``[N, k]``: :math:`S(i)`, the largest weight first
        - **similarity:** ``[N, k]``: :math:`\omega_{ij}`
    """

    user: Tensor
    item: Tensor
    neighbour: Tensor
    similarity: Tensor


class UltraGCN(Recommender):
    r"""UltraGCN from `"UltraGCN: Ultra Simplification of Graph Convolutional Networks for
    Recommendation" <https://arxiv.org/abs/2110.15114>`_.

    Nothing is propagated: what infinitely many layers would converge to is a weight of each pair.

    .. math::
        \beta_{ui} = \frac{1}{d_u} \sqrt{\frac{d_u + 1}{d_i + 1}}, \qquad
        \hat{y}_{ui} = \mathbf{e}_u^{\top} \mathbf{e}_i

        \mathcal{L} = - \sum_{(u, i)} \Big[ \beta_{ui} \log \sigma(\hat{y}_{ui})
        + \frac{\mu}{|\mathcal{N}|} \sum_{j \in \mathcal{N}} \beta_{uj}
        \log \sigma(-\hat{y}_{uj}) + \lambda \sum_{j \in S(i)} \omega_{ij}
        \log \sigma(\hat{y}_{uj}) \Big] + \frac{\gamma}{2} \lVert \mathbf{E} \rVert^2

    :math:`S(i)` are the :math:`k` items of the largest
    :math:`\omega_{ij} = G_{ij} / g_i \cdot \sqrt{(g_i + 1) / (g_j + 1)}`, where :math:`G` counts
    the users that two items share and :math:`g` sums its rows. Here the paper and the authors' code
    (https://github.com/xue-pai/UltraGCN) differ, and the code is followed: the item itself is among
    them, and counts in :math:`g`. So it is in the constants that the paper adds to the weights of
    pairs, which every configuration of the authors sets to nearly 0 or, for negatives, to 1.

    The authors draw hundreds of negatives for each row, a user's own items among them. Training
    here draws one a row, and all rows share the batch's distinct ones: as many, in one product of
    matrices where drawing for each would gather hundreds of rows, and no source of randomness of
    the model's own.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``)
        k (int): items in :math:`S(i)`. (default: ``10``)
        item_weight (float): :math:`\lambda`. (default: ``5e-4``)
        negative_weight (float): :math:`\mu`. (default: ``300``)
        weigh_negatives (bool): whether negatives count by :math:`\beta_{uj}`, or by one each.
            (default: ``True``)
        l2 (float): :math:`\gamma`, of all parameters at every step. (default: ``1e-4``)
        std (float): of the normal distribution that embeddings start from. The authors' 1e-4 or
            1e-3 rank by popularity for the first ten thousand steps, which is more than small sets
            train for. (default: ``0.1``)

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import UltraGCN
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = UltraGCN.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    takes_ranking: ClassVar[bool] = False
    propagates: ClassVar[bool] = False
    tables = ("user_embedding", "item_embedding")
    presets = {  # noqa: RUF012 (read only)
        "gowalla": Preset({"std": 1e-4}, {"lr": 1e-4, "batch_size": 512}),
        "movielens-1m": Preset(
            {"embedding_dim": 128, "item_weight": 1e-3, "negative_weight": 200.0, "std": 1e-3},
            {"lr": 1e-3, "batch_size": 1024},
        ),
        "amazon-books": Preset(
            {
                "item_weight": 2.75,
                "negative_weight": 500.0,
                "weigh_negatives": False,
                "std": 1e-4,
            },
            {"lr": 1e-3, "batch_size": 1024},
        ),
    }

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        k: int = 10,
        item_weight: float = 5e-4,
        negative_weight: float = 300.0,
        weigh_negatives: bool = True,
        l2: float = 1e-4,
        std: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_channels = embedding_dim
        self.k = k
        self.item_weight, self.negative_weight, self.l2 = item_weight, negative_weight, l2
        self.weigh_negatives, self.std = weigh_negatives, std
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self._constraints = KeptFor[Constraints]()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.normal_(self.user_embedding.weight, std=self.std)
        torch.nn.init.normal_(self.item_embedding.weight, std=self.std)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.user_embedding.weight, self.item_embedding.weight

    def constraints(self, data: HeteroData) -> Constraints:
        """The weights of pairs and the items near each item.

        Args:
            data: the graph.
        """
        source = (data[USER_TO_ITEM].edge_index,)
        return self._constraints(source, lambda: _constraints(*source, sizes(data), self.k))

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        at = self.constraints(data)
        drawn, place = distinct(neg)
        z_user, z_pos, z_drawn, z_near = self.columns.whole(
            self.user_embedding(user),
            *map(self.item_embedding, (pos, drawn, at.neighbour[pos])),
        )
        yes = (z_user * z_pos).sum(1)
        # The result of distinct may end in repeats, which no place leads to.
        counts = torch.zeros_like(drawn).index_fill_(0, place, 1)
        no = F.softplus(z_user @ z_drawn.T)
        if self.weigh_negatives:
            no = no * at.user[user].unsqueeze(1) * at.item[drawn]
        near = (z_near * z_user.unsqueeze(1)).sum(2)
        parameters = self.columns.lengths(self.parameters())
        squares = torch.stack([p.square().sum() for p in parameters])
        pair = (at.user[user] * at.item[pos] * F.softplus(-yes)).sum()
        return {
            "pair": pair + self.negative_weight * (no * counts).sum() / counts.sum(),
            "item": self.item_weight * (at.similarity[pos] * F.softplus(-near)).sum(),
            "l2": self.l2 * squares.sum() / 2,
        }

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.out_channels}, k={self.k})"
        )


def _constraints(edge_index: Tensor, size: tuple[int, int], k: int) -> Constraints:
    taken = interaction_matrix(edge_index, size)
    d_user, d_item = (torch.from_numpy(taken.sum(axis)) for axis in (1, 0))
    total = torch.from_numpy(taken.T @ taken.sum(1))  # g
    outer, inner = (total + 1).sqrt() / total.clamp(min=1), (total + 1).rsqrt()
    by_item, num_items = taken.T.tocsr(), size[1]
    step, near = max(1, _BLOCK // max(1, num_items)), []
    for start in range(0, num_items, step):
        shared = torch.from_numpy((by_item[start : start + step] @ taken).toarray())
        near.append((shared * inner).topk(min(k, num_items)))
    values, indices = (torch.cat(part) for part in zip(*near, strict=True))
    found = Constraints(
        (d_user + 1).sqrt() / d_user.clamp(min=1),
        (d_item + 1).rsqrt(),
        indices,
        values * outer.unsqueeze(1),
    )
    return Constraints(*(x.to(edge_index.device) for x in found))
