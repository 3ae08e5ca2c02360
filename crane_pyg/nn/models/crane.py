from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleDict

from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.conv import BipartiteConv, SemanticConv, UserProfile
from crane_pyg.nn.loss import bpr_loss, info_nce_loss
from crane_pyg.nn.models.recommender import Recommender, l2_of_batch
from crane_pyg.ops import csr_graph, edge_cosine, knn_graph
from crane_pyg.transforms import bipartite_norm, degree_drop_edge, row_normalize


class CRANE(Recommender):
    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        ui_layers: int = 2,
        ii_layers: int = 1,
        num_rounds: int = 1,
        k: int = 10,
        loop: bool = True,
        drop_edge: str | None = None,
        drop_ratio: float = 0.8,
        drop_degree: str = "full",
        conv_weight: bool = False,
        act: Callable[[Tensor], Tensor] | None = None,
        readout: str = "mean",
        profile: str = "sqrt",
        semantic_profile: str = "sqrt",
        fusion: str | None = "rca",
        normalize: bool = True,
        gain: bool = False,
        refresh: int | str = "epoch",
        beta: float = 0.003,
        temperature: float = 0.2,
        l2: float = 1e-4,
        reduction: str = "mean",
        init_scale: float = 1.0,
        proj_init: str = "xavier",
        impl: str = "auto",
    ) -> None:
        super().__init__()
        self.modalities = dict(modalities)
        self.ui_layers, self.ii_layers = ui_layers, ii_layers
        self.k, self.loop = k, loop
        self.drop_edge, self.drop_ratio, self.drop_degree = drop_edge, drop_ratio, drop_degree
        self.readout = readout
        self.fusion = fusion
        self.refresh = refresh
        self.beta, self.temperature, self.l2, self.reduction = beta, temperature, l2, reduction
        self.init_scale = init_scale
        self.proj_init = proj_init

        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        width = embedding_dim if conv_weight else None
        self.convs = torch.nn.ModuleList([BipartiteConv(width, act=act) for _ in range(ui_layers)])
        self.semantic_conv = SemanticConv()
        self.semantic_profile = UserProfile(semantic_profile, embedding_dim)
        self.proj = ModuleDict(
            {m: Linear(d, embedding_dim, bias=False) for m, d in self.modalities.items()}
        )
        self.profile = ModuleDict({m: UserProfile(profile, embedding_dim) for m in self.modalities})
        channels = dict.fromkeys(self.modalities, embedding_dim)
        self.rca = RecursiveCrossModalAttention(
            channels, num_rounds, normalize=normalize, gain=gain, impl=impl
        )
        self.register_buffer("neighbor", torch.zeros(num_items, k, dtype=torch.long))
        self.register_buffer("neighbor_weight", torch.zeros(num_items, k))
        self._item_graph = None
        self._sampled = None
        self._epoch = 0
        self._stale = True
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for e in (self.user_embedding, self.item_embedding):
            torch.nn.init.xavier_uniform_(e.weight)
            with torch.no_grad():
                e.weight.mul_(self.init_scale)
        for lin in self.proj.values():
            if self.proj_init == "xavier":
                torch.nn.init.xavier_uniform_(lin.weight)
            else:
                torch.nn.init.orthogonal_(lin.weight)
                if self.proj_init == "eye":
                    torch.nn.init.eye_(lin.weight)

    @classmethod
    def from_data(cls, data, **kwargs):
        mods = {k[2:]: v.size(1) for k, v in data["item"].items() if k.startswith("x_")}
        return cls(data["user"].num_nodes, data["item"].num_nodes, mods, **kwargs)

    def start_epoch(self, data):
        if (
            self.refresh == "step"
            or self._epoch % (1 if self.refresh == "epoch" else self.refresh) == 0
        ):
            self._stale = True
        self._epoch += 1
        to_item, to_user = self.user_item_graphs(data)
        if self.drop_edge:
            ei = to_item.edge_index
            size = (to_item.num_src, to_item.num_dst)
            keep = degree_drop_edge(ei, size, mode=self.drop_edge, ratio=self.drop_ratio)
            g = to_item.select(keep)
            if self.drop_degree == "sampled":
                g = g._replace(weight=bipartite_norm(g.edge_index, size))
            self._sampled = (g, g.transpose())

    def x_att(self, data):
        store = data["item"]
        to_item, to_user = self.user_item_graphs(data)
        plain = to_user._replace(weight=torch.ones_like(to_user.weight))
        xs, masks = {}, {}
        M = data["user"].num_nodes
        for m in self.modalities:
            x = F.normalize(store[f"x_{m}"], dim=1)
            mask = store[f"{m}_mask"]
            item = self.proj[m](x)
            user = self.profile[m](item, plain, mask=None if mask.all() else mask)
            xs[m] = torch.cat([user, item])
            if not mask.all():
                has = spmm_any(mask, plain)
                masks[m] = torch.cat([has, mask])
        return self.rca(xs, masks, query=slice(M, None))

    def build(self, data):
        store = data["item"]
        if self.fusion == "rca":
            x = self.x_att(data)
        elif self.fusion == "concat":
            x = torch.cat([F.normalize(store[f"x_{m}"], dim=1) for m in self.modalities], 1)
        elif self.fusion == "proj":
            x = torch.cat(
                [
                    F.normalize(self.proj[m](F.normalize(store[f"x_{m}"], dim=1)), dim=1)
                    for m in self.modalities
                ],
                1,
            )
        mask = torch.stack([store[f"{m}_mask"] for m in self.modalities]).any(0)
        ei = knn_graph(x.detach(), self.k, loop=self.loop, mask=None if mask.all() else mask)
        w = edge_cosine(x, ei).clamp(min=0)
        w = row_normalize(ei, w, x.size(0))
        self._item_graph = csr_graph(ei, w, size=(x.size(0),) * 2)
        self._stale = False

    def views(self, data):
        to_item, to_user = self.user_item_graphs(data)
        u, i = self.user_embedding.weight, self.item_embedding.weight
        gi, gu = self._sampled if self.training and self.drop_edge else (to_item, to_user)
        us, its = [u], [i]
        for conv in self.convs:
            u, i = conv((i, None), gu), conv((u, None), gi)
            us.append(u), its.append(i)
        if self.readout == "mean":
            u, i = torch.stack(us).mean(0), torch.stack(its).mean(0)
        elif self.readout == "sum":
            u, i = sum(us), sum(its)
        if self.fusion is None:
            return u, torch.zeros_like(u), i, torch.zeros_like(i)
        if self._stale or (self.refresh == "step" and self.training):
            self.build(data)
        g = self._item_graph
        h = i
        for _ in range(self.ii_layers):
            h = self.semantic_conv(h, g)
        plain = to_user._replace(weight=torch.ones_like(to_user.weight))
        hu = self.semantic_profile(h, plain)
        if g.weight.requires_grad:
            self._item_graph = g._replace(weight=g.weight.detach())
        return u, hu, i, h

    def forward(self, data):
        u, hu, i, hi = self.views(data)
        return u + hu, i + hi

    def loss(self, data, user, pos, neg):
        u, hu, i, hi = self.views(data)
        zu, zi = (u + hu), (i + hi)
        z = zu[user]
        r = self.reduction
        bpr = bpr_loss((z * zi[pos]).sum(1), (z * zi[neg]).sum(1), reduction=r)
        out = {"bpr": bpr}
        if self.beta > 0 and self.fusion is not None:
            uu, pp = user.unique(), pos.unique()
            out["contrastive"] = self.beta * (
                info_nce_loss(u[uu], hu[uu], temperature=self.temperature)
                + info_nce_loss(i[pp], hi[pp], temperature=self.temperature)
            )
        out["l2"] = self.l2 * l2_of_batch(
            self.user_embedding(user), self.item_embedding(pos), self.item_embedding(neg)
        )
        return out


def spmm_any(mask, g):
    from crane_pyg.ops import spmm

    return spmm(g, mask.float()[:, None])[:, 0] > 0
