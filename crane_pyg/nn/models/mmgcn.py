from collections.abc import Collection, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleList, Parameter
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import WeightedSumConv
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.models.recommender import Preset, Recommender
from crane_pyg.nn.objectives import BPRLoss, MeanSquare, Objective, RankingLoss, Triplets
from crane_pyg.ops import CSRGraph
from crane_pyg.schema import VISUAL, check_modalities, modalities, sizes
from crane_pyg.transforms import row_normalize

# The authors' command lines.
PRESETS = {
    "tiktok": Preset({"l2": 0.1}, {"lr": 5e-4, "batch_size": 1024, "epochs": 1000, "patience": 20}),
    "movielens": Preset(
        {"l2": 1e-4}, {"lr": 1e-4, "batch_size": 1024, "epochs": 1000, "patience": 20}
    ),
}


class MMGCN(Recommender):
    r"""MMGCN from `"MMGCN: Multi-modal Graph Convolution Network for Personalized Recommendation of
    Micro-video" <https://doi.org/10.1145/3343031.3351034>`_.

    Every modality has a graph network of its own, whose layers mix a node's neighbours, the node
    and its identity; the outputs are averaged (the paper adds them up).

    .. math::
        \mathbf{h}_v &= \phi \Big( \mathbf{W}_1 \, \mathrm{mean}_{w \in \mathcal{N}(v)}
        \mathbf{x}_w \Big) \qquad
        \hat{\mathbf{x}}_v = \phi(\mathbf{W}_2 \mathbf{x}_v) + \mathbf{e}_v \\
        \mathbf{x}_v &\leftarrow \phi(\mathbf{W}_3 [\mathbf{h}_v ; \hat{\mathbf{x}}_v])

    :math:`\phi` is the leaky ReLU; at first :math:`\mathbf{x}` is an item's features or a user's
    preference vector, in unit rows. The authors' code and MMRec, which the literature's numbers
    come from, never hand the identities :math:`\mathbf{e}` and the preferences to the optimiser:
    they stay random, and their regulariser has no effect. So are they by default here, and
    :obj:`train_embeddings` is the paper.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of each network; both codes say two and run three.
            (default: ``3``)
        projected (collection): modalities that a linear map takes to :obj:`latent_dim` first, where
            the data has them. (default: ``('image', 'visual')``)
        latent_dim (int): that width. (default: ``256``)
        train_embeddings (bool): whether identities and preferences learn. (default: ``False``)
        l2 (float): weight of their mean squares, if they do. (default: ``1e-4``, the authors' for
            Movielens)
        ranking (RankingLoss, optional): in the place of BPR's.

    Raises:
        ValueError: if there is no modality or no layer.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import MMGCN
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = MMGCN.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    objective: Objective
    presets = PRESETS

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        num_layers: int = 3,
        *,
        projected: Collection[str] = VISUAL,
        latent_dim: int = 256,
        train_embeddings: bool = False,
        l2: float = 1e-4,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1 (got {num_layers})")
        self.size = (num_users, num_items)
        self.modalities = dict(modalities)
        self.num_layers = num_layers
        regulariser = MeanSquare(l2) if train_embeddings else None
        self.objective = Objective(ranking or BPRLoss(), regulariser=regulariser)
        self.out_channels = embedding_dim
        self.embedding = Embedding(num_users + num_items, embedding_dim)  # users first
        self.embedding.weight.requires_grad_(train_embeddings)
        latent = {m: latent_dim if m in projected else None for m in modalities}
        self.gcn = ByModality(
            {
                m: ModalityGCN(num_users, width, embedding_dim, num_layers, latent[m])
                for m, width in modalities.items()
            }
        )
        for gcn in self.gcn.values():
            gcn.preference.requires_grad_(train_embeddings)
        self._means = KeptFor[tuple[CSRGraph, CSRGraph]]()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), modalities(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_normal_(self.embedding.weight)
        reset(self.gcn)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self._embed(data, None)

    def _embed(self, data: HeteroData, rows: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """Embeddings of some users and items, by default of all."""
        graphs, store = self._mean_graphs(data), data["item"]
        identity = torch.split(self.embedding.weight, list(self.size))
        outputs = [
            gcn(store[f"x_{m}"], store[f"{m}_mask"], identity, graphs, rows)
            for m, gcn in self.gcn.items()
        ]
        users, items = zip(*outputs, strict=True)
        return sum(users[1:], users[0]) / len(users), sum(items[1:], items[0]) / len(items)

    def _mean_graphs(self, data: HeteroData) -> tuple[CSRGraph, CSRGraph]:
        """User-to-item and item-to-user edges that average, built once per ``data``."""
        to_item, to_user = self.user_item_graphs(data)
        return self._means((to_item.col,), lambda: (_averaging(to_item), _averaging(to_user)))

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        ids = torch.stack([pos, neg])
        users, user_row = torch.unique(user, return_inverse=True)
        items, item_rows = torch.unique(ids, return_inverse=True)
        z_user, z_item = self._embed(data, (users, items))
        z_user, z_item = F.embedding(user_row, z_user), F.embedding(item_rows, z_item)
        preferences = [gcn.preference for gcn in self.gcn.values()]
        identities = [self.embedding(user), self.embedding(ids + self.size[0])]
        return self.objective(
            Triplets(z_user, z_item, user, ids), embeddings=[*identities, *preferences]
        )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.size[0]}, {self.size[1]}, {self.modalities}, "
            f"{self.embedding.embedding_dim}, num_layers={self.num_layers})"
        )


class ModalityGCN(torch.nn.Module):
    """The network of one modality.

    Args:
        num_users (int): :math:`M`.
        in_channels (int): width of the modality's features.
        channels (int): :math:`d`.
        num_layers (int): layers.
        latent (int, optional): width that a linear map takes the features to first.
    """

    def __init__(
        self, num_users: int, in_channels: int, channels: int, num_layers: int, latent: int | None
    ) -> None:
        super().__init__()
        width = latent or in_channels
        widths = [width] + [channels] * (num_layers - 1)
        self.preference = Parameter(torch.empty(num_users, width))
        self.lin_in = None if latent is None else Linear(in_channels, latent)
        self.conv = WeightedSumConv()
        self.lin_conv = ModuleList(Linear(w, w, bias=False) for w in widths)
        self.lin_self = ModuleList(Linear(w, channels) for w in widths)
        self.lin_out = ModuleList(Linear(w + channels, channels) for w in widths)

    def reset_parameters(self) -> None:
        for module in (self.lin_in, self.lin_conv, self.lin_self, self.lin_out):
            reset(module)
        # Both codes leave the later `lin_out` as torch draws them.
        for module in (*self.lin_conv, *self.lin_self, self.lin_out[0]):
            torch.nn.init.xavier_normal_(module.weight)
        torch.nn.init.xavier_normal_(self.preference)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        identity: tuple[Tensor, Tensor],
        graphs: tuple[CSRGraph, CSRGraph],
        rows: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Embeddings of users and items.

        Args:
            x (Tensor): features of the items.
            mask (Tensor): items that have them; those of the others count as zeros.
            identity (pair): embeddings of the identities of users and items.
            graphs (pair): user-to-item and item-to-user edges with averaging weights.
            rows (pair, optional): distinct users and items wanted of the last layer.
                (default: all)

        Shapes:
            - **x:** ``[N, in_channels]``, **mask:** ``[N]`` bool
            - **identity:** ``[M, d]`` and ``[N, d]``
            - **output:** the same, or these rows of it
        """
        to_item, to_user = graphs
        x = x if self.lin_in is None else self.lin_in(x)
        item = F.normalize(x, dim=1).masked_fill(~mask.unsqueeze(1), 0)
        user = F.normalize(self.preference, dim=1)
        for conv, own, out in zip(self.lin_conv, self.lin_self, self.lin_out, strict=True):
            # Averaging and the linear map commute; the map is on the items, who are fewer.
            h_user = self.conv((conv(item), None), to_user)
            h_item = conv(self.conv((user, None), to_item))
            sides = [(h_user, user, identity[0]), (h_item, item, identity[1])]
            if rows is not None and out is self.lin_out[-1]:
                sides = [
                    (h.index_select(0, row), x.index_select(0, row), e.index_select(0, row))
                    for (h, x, e), row in zip(sides, rows, strict=True)
                ]
            user, item = (
                F.leaky_relu(out(torch.cat([F.leaky_relu(h), F.leaky_relu(own(x)) + e], dim=1)))
                for h, x, e in sides
            )
        return user, item


def _averaging(graph: CSRGraph) -> CSRGraph:
    ones = torch.ones_like(graph.weight)
    return graph.with_weight(row_normalize(graph.edge_index, ones, graph.num_dst))
