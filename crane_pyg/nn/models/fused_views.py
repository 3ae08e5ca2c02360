import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData

from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.modality_views import ModalityViews
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import Objective, Triplets
from crane_pyg.nn.user_item import modality_masks
from crane_pyg.schema import USER_TO_ITEM


class FusedViewsRecommender(Recommender):
    r"""Base of MGCN and SMORE: LightGCN's embeddings :math:`\mathbf{e}` and what is fused of views
    of the modalities, :math:`\mathbf{z} = \mathbf{e} + \mathbf{s}`.

    Trained by a ranking loss, by InfoNCE of the batch's :math:`\mathbf{s}` among their
    :math:`\mathbf{e}`, users and positive items apart, and by L2 of the batch's :math:`\mathbf{z}`.
    A subclass implements :meth:`views` and :meth:`fuse`.
    """

    objective: Objective
    tables = ("user_embedding", "item_embedding")
    num_layers: int
    num_item_layers: int
    user_embedding: Embedding
    item_embedding: Embedding
    features: ItemFeatures

    def __init__(self) -> None:
        super().__init__()
        self._masks = KeptFor[tuple[Tensor, Tensor]]()

    def views(self, data: HeteroData) -> tuple[ModalityViews, ModalityViews]:
        """What is known of all users and of all items before it is fused.

        Args:
            data: the graph.
        """
        raise NotImplementedError

    def fuse(self, side: ModalityViews) -> Tensor:
        """What the views of some users or items come to, ``[n, d]``.

        Args:
            side: their views.
        """
        raise NotImplementedError

    def known(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """Which users and items have which modalities, ``[M, K]`` and ``[N, K]`` bool.

        Args:
            data: the graph.
        """
        names = self.features.modalities
        source = (data[USER_TO_ITEM].edge_index, *(data["item"][f"{m}_mask"] for m in names))
        return self._masks(source, lambda: modality_masks(data, names))

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        sides = map(self._whole, self.views(data))
        user, item = (self.columns.own(side.content + self.fuse(side)) for side in sides)
        return user, item

    def _whole(self, side: ModalityViews) -> ModalityViews:
        content, views = self.columns.whole(side.content, side.views)
        return ModalityViews(content, views, side.known)

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        users, items = self.views(data)
        batch = [*map(self._whole, (users.rows(user), items.rows(pos), items.rows(neg)))]
        fused = [self.fuse(side) for side in batch]
        z_user, *z_item = (side.content + s for side, s in zip(batch, fused, strict=True))
        triplets = Triplets(z_user, torch.stack(z_item), user, torch.stack([pos, neg]))
        contrasted = [(fused[i], batch[i].content) for i in (0, 1)]  # users, and positive items
        return self.objective(triplets, views=contrasted, embeddings=[z_user, *z_item])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, num_item_layers={self.num_item_layers}, "
            f"features={self.features})"
        )
