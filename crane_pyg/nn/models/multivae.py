from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear, Parameter
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.models.recommender import Preset, Recommender
from crane_pyg.nn.user_item import history_graph
from crane_pyg.ops import dropout, spmm


class MultiVAE(Recommender):
    r"""Mult-VAE from `"Variational Autoencoders for Collaborative Filtering"
    <https://arxiv.org/abs/1802.05814>`_.

    A user's items :math:`\mathbf{x}_u` are drawn from a multinomial over the catalogue, which a
    network decodes from a Gaussian :math:`\mathbf{z}_u`, which another one encodes them to.

    .. math::
        [\boldsymbol{\mu}_u ; \log \boldsymbol{\sigma}_u^2] = \mathbf{W}_2 \tanh(\mathbf{W}_1
        \, \mathrm{dropout}(\mathbf{x}_u / \lVert \mathbf{x}_u \rVert) + \mathbf{b}_1)
        + \mathbf{b}_2

        \mathbf{h}_u = \tanh(\mathbf{W}_3 (\boldsymbol{\mu}_u + \boldsymbol{\sigma}_u \odot
        \boldsymbol{\epsilon}) + \mathbf{b}_3), \qquad
        \boldsymbol{\pi}_u = \mathrm{softmax}(\mathbf{W}_4 \mathbf{h}_u + \mathbf{b}_4)

        \mathcal{L} = - \sum_i x_{ui} \log \pi_{ui} + \beta \, \mathrm{KL}(\mathcal{N}(
        \boldsymbol{\mu}_u, \boldsymbol{\sigma}_u^2) \,\Vert\, \mathcal{N}(\mathbf{0}, \mathbf{1}))

    There is nothing to learn about a single user, so that users may be new. An epoch visits each
    user once, as the paper's does, with all of their items, and ``batch_size`` counts users. The
    softmax is over the whole catalogue: a step takes ``batch_size`` times the items.

    Args:
        num_items (int): size.
        embedding_dim (int): width of :math:`\mathbf{z}_u`. (default: ``64``, the paper's: ``200``)
        hidden_dim (int): width of :math:`\mathbf{h}_u` and of the encoder's hidden layer.
            (default: ``600``)
        dropout (float): dropout of items from what the encoder sees. (default: ``0.5``)
        beta (float): the highest :math:`\beta`. (default: ``0.2``)
        anneal_steps (int): batches in which :math:`\beta` would grow from 0 to 1. The authors take
            ``200000`` for 233 batches an epoch; of fewer users there are fewer.
            (default: ``1000``)

    Embeddings, ``hidden_dim + 1`` wide, are :math:`[\mathbf{h}_u ; 1]` without noise and
    :math:`[\mathbf{W}_4 ; \mathbf{b}_4]`, so that inner products are the logits.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import MultiVAE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = MultiVAE.from_data(data, hidden_dim=100)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 101]), torch.Size([200, 101]))
    """

    takes_ranking: ClassVar[bool] = False
    reads_histories: ClassVar[bool] = True
    presets = {  # noqa: RUF012 (read only)
        # The authors' notebook (https://github.com/dawenl/vae_cf).
        "movielens-20m": Preset(
            {"embedding_dim": 200, "anneal_steps": 200000},
            {"lr": 1e-3, "batch_size": 500, "epochs": 200, "monitor": "NDCG@20"},
        )
    }
    step: Tensor

    def __init__(
        self,
        num_items: int,
        embedding_dim: int = 64,
        hidden_dim: int = 600,
        dropout: float = 0.5,
        beta: float = 0.2,
        anneal_steps: int = 1000,
    ) -> None:
        super().__init__()
        self.out_channels = hidden_dim + 1
        self.dropout = dropout
        self.beta, self.anneal_steps = beta, anneal_steps
        self.encoder = Embedding(num_items, hidden_dim)  # W_1, a row for each item
        self.encoder_bias = Parameter(torch.empty(hidden_dim))
        self.lin_latent = Linear(hidden_dim, 2 * embedding_dim)
        self.lin_hidden = Linear(embedding_dim, hidden_dim)
        self.decoder = Linear(hidden_dim, num_items)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(data["item"].num_nodes, **kwargs)

    def reset_parameters(self) -> None:
        layers = self.lin_latent, self.lin_hidden, self.decoder
        for layer in (self.encoder, *layers):
            torch.nn.init.xavier_uniform_(layer.weight)
        for bias in (self.encoder_bias, *(layer.bias for layer in layers)):
            torch.nn.init.trunc_normal_(bias, std=0.001, a=-0.002, b=0.002)
        self.step.zero_()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        graph = self.user_item_graphs(data)[1]
        weight = graph.in_degree[graph.dst].to(self.encoder_bias.dtype).rsqrt()
        mean, _ = self._encode(spmm(graph.with_weight(weight), self.encoder.weight))
        item = torch.cat([self.decoder.weight, self.decoder.bias.unsqueeze(1)], dim=1)
        return F.pad(self._decode(mean), (0, 1), value=1.0), item

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        """The loss of the batch's distinct users with all their items; ``neg`` is not used."""
        self.step += int(self.training)
        users = torch.unique(user)
        taken = history_graph(self.user_item_graphs(data)[1], users)
        row, item = taken.dst.long(), taken.col.long()
        weight = taken.in_degree[row].to(self.encoder_bias.dtype).rsqrt()
        if self.training:
            weight = dropout(weight, self.dropout)
        mean, log_var = self._encode(spmm(taken.with_weight(weight), self.encoder.weight))
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        logits = self.decoder(self._decode(mean + noise * (log_var / 2).exp()))
        log_likelihood = F.log_softmax(logits, dim=1)[row, item].sum() / users.numel()
        kl = (log_var.exp() + mean.square() - log_var - 1).sum() / 2 / users.numel()
        beta = (self.step / max(1, self.anneal_steps)).clamp(max=self.beta)
        return {"rating": -log_likelihood, "kl": beta * kl}

    def _encode(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.lin_latent(torch.tanh(seen + self.encoder_bias)).chunk(2, dim=1)
        return mean, log_var

    def _decode(self, z: Tensor) -> Tensor:
        return torch.tanh(self.lin_hidden(z))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.decoder.out_features}, "
            f"{self.lin_hidden.in_features}, hidden_dim={self.lin_hidden.out_features})"
        )
