from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleList
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import BipartiteConv
from crane_pyg.nn.fold_in import FoldIn, light_gcn_fold_in
from crane_pyg.nn.models.recommender import Preset, Recommender
from crane_pyg.nn.objectives import info_nce_loss
from crane_pyg.ops import CSRGraph
from crane_pyg.schema import VISUAL, check_modalities, modalities, sizes

FINE_TO_COARSE = (*VISUAL, "acoustic", "audio", "textual", "text")


class SLMRec(Recommender):
    r"""SLMRec from `"Self-supervised Learning for Multimedia Recommendation"
    <https://doi.org/10.1109/TMM.2022.3187556>`_.

    Identity and modalities are channels of their own, :math:`c = 0, \ldots, K`, that LightGCN
    propagates from users' embeddings, which they share, and items' embeddings or projected
    features; a linear map joins them.

    .. math::
        \mathbf{z}_u = \mathbf{W}_U [\mathbf{u}^0_u ; \ldots ; \mathbf{u}^K_u] + \mathbf{b}_U \qquad
        \mathbf{z}_i = \mathbf{W}_I [\mathbf{v}^0_i ; \ldots ; \mathbf{v}^K_i] + \mathbf{b}_I

    Trained by InfoNCE of the batch's users against its positive items, and by the task FAC, fine to
    coarse: :math:`\mathbf{g}^c = \mathbf{A}_c \mathbf{g}^{c-1} + \mathbf{a}_c` of an item, with
    :math:`\mathbf{g}^0 = \mathbf{v}^0`, should find its :math:`\mathbf{B}_c \mathbf{v}^c` among the
    batch's. The paper's other tasks, FD and FM, are not here: the authors' settings and MMRec's
    take FAC. As in both codes an item that stands twice in the batch is its own negative once, and
    the score is the inner product without the training's cosine.

    MMRec keeps the authors' acoustic map :math:`\mathbf{A}_c` in the chain also where there is no
    such modality; here there is one for each modality there is.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name, fine to coarse.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of LightGCN. (default: ``3``)
        temperature (float): what the cosines in InfoNCE are divided by. (default: ``0.2``)
        ssl_weight (float): weight of FAC. (default: ``0.1``)
        ssl_temperature (float): what the inner products in FAC are divided by. (default: ``0.2``)
        l2 (float): Adam's weight decay, on all parameters. (default: ``1e-4``)

    The defaults are those of the authors' repository, which trains at a learning rate of 0.01 in
    batches of 2048, ``SLMRec.preset('tiktok')``; MMRec searches rates 1e-4 to 0.1, weights 0.01 to
    1 and temperatures 0.1 to 1 of FAC.

    Raises:
        ValueError: if there is no modality or no layer.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import SLMRec
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = SLMRec.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    takes_ranking: ClassVar[bool] = False
    presets = {  # noqa: RUF012 (read only)
        "tiktok": Preset({}, {"lr": 0.01, "batch_size": 2048, "epochs": 1000, "patience": 50})
    }

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        num_layers: int = 3,
        *,
        temperature: float = 0.2,
        ssl_weight: float = 0.1,
        ssl_temperature: float = 0.2,
        l2: float = 1e-4,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1 (got {num_layers})")
        self.out_channels = embedding_dim
        self.modalities = dict(modalities)
        self.num_layers = num_layers
        self.temperature = temperature
        self.ssl_weight, self.ssl_temperature = ssl_weight, ssl_temperature
        self.l2 = l2
        d, count = embedding_dim, len(modalities)
        self.user_embedding = Embedding(num_users, d)
        self.item_embedding = Embedding(num_items, d)
        self.lin_feature = ByModality({m: Linear(width, d) for m, width in modalities.items()})
        self.lin_user = Linear((1 + count) * d, d)
        self.lin_item = Linear((1 + count) * d, d)
        widths = [d] * (count - 1) + [d if count == 1 else d // 2]  # the last task is the coarsest
        self.lin_joint = ModuleList(Linear(d, width) for width in widths)
        # A bias here would shift all of a row's logits alike.
        self.lin_modality = ModuleList(Linear(d, width, bias=False) for width in widths)
        self.conv = BipartiteConv()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        widths = modalities(data)
        order = [m for m in FINE_TO_COARSE if m in widths]
        order += [m for m in widths if m not in order]
        return cls(*sizes(data), {m: widths[m] for m in order}, **kwargs)

    def reset_parameters(self) -> None:
        for module in self.modules():
            if isinstance(module, Linear | Embedding):
                module.reset_parameters()
                torch.nn.init.xavier_uniform_(module.weight)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        return [group | {"weight_decay": self.l2} for group in super().parameter_groups(lr)]

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self._channels(data, slice(None), slice(None))
        return self.lin_user(user), self.lin_item(item)

    def fold_in(self, data: HeteroData) -> FoldIn:
        sources = [self.item_embedding.weight, *(self._features(data, m) for m in self.modalities)]
        user = self.user_embedding.weight.repeat(1, len(sources))
        graphs = self.user_item_graphs(data)
        found = light_gcn_fold_in(user, torch.cat(sources, dim=1), graphs, self.num_layers)
        return found.through(self.lin_user)

    def _channels(
        self, data: HeteroData, user: Tensor | slice, item: Tensor | slice
    ) -> tuple[Tensor, Tensor]:
        """All channels side by side, ``[n, (1 + K) d]``, of some users and of some items.

        LightGCN is linear, and what comes from the users is the same in all channels: it is
        propagated once, and what comes from the items of all channels in one wide product.
        """
        to_item, to_user = self.user_item_graphs(data)
        sources = [self.item_embedding.weight, *(self._features(data, m) for m in self.modalities)]
        user_near, item_far = self._walk(self.user_embedding.weight, (to_item, to_user))
        item_near, user_far = self._walk(torch.cat(sources, dim=1), (to_user, to_item))
        users = user_near[user].repeat(1, len(sources)) + user_far[user]
        items = item_near[item] + item_far[item].repeat(1, len(sources))
        return users / (self.num_layers + 1), items / (self.num_layers + 1)

    def _walk(self, x: Tensor, graphs: tuple[CSRGraph, CSRGraph]) -> tuple[Tensor, Tensor]:
        """Sums over the layers of what ``x`` leaves on its own side and on the other."""
        sums: list[Tensor | None] = [x, None]
        for layer in range(self.num_layers):
            x = self.conv((x, None), graphs[layer % 2])
            before = sums[(layer + 1) % 2]
            sums[(layer + 1) % 2] = x if before is None else before + x
        near, far = sums
        assert near is not None
        assert far is not None
        return near, far

    def _features(self, data: HeteroData, modality: str) -> Tensor:
        """Projected features, in unit rows before that; a masked row counts as zeros."""
        x, mask = data["item"][f"x_{modality}"], data["item"][f"{modality}_mask"]
        lin = self.lin_feature[modality]
        x = x.to(lin.weight.dtype)
        # Divided after the projection, which is narrower.
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=1e-12)
        return (F.linear(x, lin.weight) / norm).masked_fill(~mask.unsqueeze(1), 0) + lin.bias

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        users, items = self._channels(data, user, pos)
        z_user, z_item = self.lin_user(users), self.lin_item(items)
        return {
            "infonce": info_nce_loss(z_user, z_item, temperature=self.temperature),
            "ssl": self.ssl_weight * self._fine_to_coarse(items),
        }

    def _fine_to_coarse(self, items: Tensor) -> Tensor:
        """The task FAC over rows ``[B, (1 + K) d]``, summed over the modalities."""
        joint, *views = items.chunk(1 + len(self.modalities), dim=1)
        itself = torch.arange(items.size(0), device=items.device)
        losses = []
        for lin_joint, lin_modality, view in zip(
            self.lin_joint, self.lin_modality, views, strict=True
        ):
            joint = lin_joint(joint)
            logits = joint @ lin_modality(view).T / self.ssl_temperature
            losses.append(F.cross_entropy(logits, itself))
        return torch.stack(losses).sum()

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.modalities}, "
            f"{self.user_embedding.embedding_dim}, num_layers={self.num_layers})"
        )
