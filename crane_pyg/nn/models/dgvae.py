from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.choices import check_choice
from crane_pyg.nn.graphs import FrozenItemGraph
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.models.dgvae_factors import (
    Factors,
    as_user,
    attend,
    mutual_information_loss,
)
from crane_pyg.nn.models.recommender import Preset, Recommender, single_precision
from crane_pyg.nn.user_item import history_graph
from crane_pyg.ops import CSRGraph, csr_graph, dropout, spmm, unit_rows
from crane_pyg.schema import check_modalities, modalities

_BLOCK = 1024  # users embedded at a time
_CHUNK = 1 << 20  # entries of users by items by factors trained at a time, for a CPU's cache


class _Inferred(NamedTuple):
    """What the encoders say of a block of users.

    Shapes:
        - **z:** ``[B, K, d]``, the factors
        - **bag:** ``[B, 2 * d_text]``, the words of the users' items
        - **shared:** ``[B, K, d]`` each: what the items' side and the words' side take from each
          other by attention
        - **log_var:** ``[B, K, d]`` each: log-variances of the items' and of the words' factors
    """

    z: Tensor
    bag: Tensor
    shared: tuple[Tensor, Tensor]
    log_var: tuple[Tensor, Tensor]


class DGVAE(Recommender):
    r"""DGVAE from `"Disentangled Graph Variational Auto-Encoder for Multimodal Recommendation with
    Interpretability" <https://arxiv.org/abs/2402.16110>`_.

    Two auto-encoders, of a user's items and of the words of these items, share :math:`K` factors:
    an item :math:`i` belongs to factor :math:`k` with probability :math:`c_{ik}`, a softmax over
    prototypes; a user's factor :math:`\mathbf{z}_{uk}` encodes the items of that factor, smoothed
    over a frozen item graph, and takes from the words' factors by attention. Decoding is a mixture,

    .. math::
        \hat{y}_{ui} = \log \sum_{k=1}^{K} c_{ik} \exp(\mathbf{z}_{uk}^{\top} \mathbf{v}_i / \tau),

    which no inner product ranks alike: embeddings hold a block a factor, and :meth:`scores` sums.
    There is nothing to learn about a single user, so that users may be new.

    The paper has words, here there are features: images are described by the text of the items
    whose images are nearest, where the paper runs a captioner; a channel of the text, centred and
    summed over a user's items, stands for two words, one a sign, where the paper counts words.
    Its epoch visits each user once; here a batch visits the users of its interactions.

    Args:
        num_items (int): size.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d` of each factor. (default: ``64``)
        num_factors (int): :math:`K`. (default: ``4``)
        k (int): neighbours of each item by each modality, itself among them. (default: ``10``)
        text (str, optional): the modality that holds the words. (default: ``'textual'`` or
            ``'text'`` where there is one, else the last)
        text_weight (float): its share of the item graph. (default: ``0.96``)
        temperature (float): :math:`\tau`. (default: ``0.1``)
        dropout (float): dropout on what the encoders see. (default: ``0.5``)
        std (float): scale of the noise in training. (default: ``0.075``)
        beta (float): weight of the KL terms, which grows by ``1 / anneal_steps`` with each batch
            until it is reached. (default: ``0.2``)
        anneal_steps (int): batches in which that weight would grow to one. (default: ``20000``)
        text_loss (float): weight of the words' terms. (default: ``0.2``)
        mutual (float): weight of the mutual information of both sides. (default: ``0.2``)

    The defaults are those of the authors' ``main.py``, ``DGVAE.preset('baby')`` their
    ``run-baby.sh`` (https://github.com/enoche/DGVAE).

    Embeddings, :math:`K (d + 1)` wide, are posterior means without noise, for :meth:`scores` alone.

    Raises:
        ValueError: if there is no modality, :obj:`text` is none of them, or there are fewer than
            two factors.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import DGVAE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = DGVAE.from_data(data, embedding_dim=16, num_factors=2)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 34]), torch.Size([200, 34]))
    """

    takes_ranking: ClassVar[bool] = False
    presets = {  # noqa: RUF012 (read only)
        # Theirs counts users to a batch; as many interactions have about as many users.
        "baby": Preset(
            {"num_factors": 3, "text_loss": 0.2, "mutual": 0.4},
            {"lr": 1e-3, "batch_size": 512, "epochs": 100, "patience": 20},
        )
    }
    step: Tensor

    def __init__(
        self,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_factors: int = 4,
        k: int = 10,
        text: str | None = None,
        text_weight: float = 0.96,
        temperature: float = 0.1,
        dropout: float = 0.5,
        std: float = 0.075,
        beta: float = 0.2,
        anneal_steps: int = 20000,
        text_loss: float = 0.2,
        mutual: float = 0.2,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        if text is None:
            text = next((m for m in ("textual", "text") if m in modalities), list(modalities)[-1])
        check_choice("text", text, modalities)
        if num_factors < 2:
            raise ValueError(f"num_factors must be at least 2 (got {num_factors})")
        self.out_channels = num_factors * (embedding_dim + 1)
        self.modalities = dict(modalities)
        self.text = text
        self.dropout, self.std = dropout, std
        self.beta, self.anneal_steps = beta, anneal_steps
        self.text_loss, self.mutual = text_loss, mutual
        others = [m for m in modalities if m != text]
        shares = {m: (1 - text_weight) / len(others) for m in others}
        self.item_graph = FrozenItemGraph({text: text_weight if others else 1.0, **shares}, k)
        self.items = Factors(num_items, embedding_dim, num_factors, temperature)
        self.words = Factors(2 * modalities[text], embedding_dim, num_factors, temperature)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self._words = KeptFor[Tensor]()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(data["item"].num_nodes, modalities(data), **kwargs)

    def reset_parameters(self) -> None:
        self.items.reset_parameters()
        self.words.reset_parameters()
        self.step.zero_()

    @single_precision
    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        log_c, smooth = self._assign(noise=False), self._smooth_encoder(data)
        users = torch.arange(data["user"].num_nodes, device=self.step.device)
        blocks = torch.split(users, _BLOCK)
        z = [self._infer(data, self._taken(data, users), log_c, smooth).z for users in blocks]
        return as_user(torch.cat(z)), self.items.as_item(log_c[0])

    def scores(self, user: Tensor, item: Tensor) -> Tensor:
        blocks = (x.chunk(self.items.prototype.num_embeddings, dim=1) for x in (user, item))
        return reduce(torch.logaddexp, (u @ i.T for u, i in zip(*blocks, strict=True)))

    @single_precision
    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        """The loss of the batch's distinct users with all their items; ``neg`` is not used."""
        self.step += int(self.training)
        users, log_c = torch.unique(user), self._assign(noise=self.training)
        dropped = self.training and self.dropout > 0
        smooth = self.item_graph(data).transpose() if dropped else self._smooth_encoder(data)
        sides = (self.items, self.words)
        targets = [side.by_factor(c) for side, c in zip(sides, log_c, strict=True)]
        blocks = users.split(max(1, _CHUNK // log_c[0].numel()))
        sums = [self._sums_of_block(data, block, log_c, smooth, targets) for block in blocks]
        rating, text, kl_item, kl_word, mutual = torch.stack(sums).sum(0) / users.numel()
        beta = (self.step / max(1, self.anneal_steps)).clamp(max=self.beta)
        return {
            "rating": rating,
            "rating_kl": beta * kl_item,
            "text": self.text_loss * text,
            "text_kl": self.text_loss * beta * kl_word,
            "mutual": self.mutual * mutual,
        }

    def _sums_of_block(
        self,
        data: HeteroData,
        users: Tensor,
        log_c: tuple[Tensor, Tensor],
        smooth: Tensor | CSRGraph,
        targets: list[Tensor],
    ) -> Tensor:
        """Both reconstructions, both KL terms and the mutual information, summed over users."""
        taken = self._taken(data, users)
        z, bag, shared, log_var = self._infer(data, taken, log_c, smooth, noise=self.training)
        z = F.pad(z, (0, 1), value=1.0).transpose(0, 1)  # [K, B, d + 1]
        # The softmax of the mixture over items is one over items and factors.
        logit, row = z @ targets[0], taken.dst.long()  # [K, B, N]
        picked = logit[:, row, taken.col.long()].logsumexp(0)
        rating = (logit.logsumexp((0, 2))[row] - picked).sum()
        mixture = (z @ targets[1]).logsumexp(0)  # [B, words]
        text = (bag.sum(1) * mixture.logsumexp(1)).sum() - (bag * mixture).sum()
        kl = [(x.exp() - x - 1).sum() / 2 for x in log_var]
        return torch.stack([rating, text, *kl, mutual_information_loss(*shared)])

    def _assign(self, noise: bool) -> tuple[Tensor, Tensor]:
        return self.items.assign(noise), self.words.assign(noise)

    def _smooth_encoder(self, data: HeteroData) -> Tensor:
        """The encoder's weight ``[N, 2 * d]`` behind the graph, which are both linear."""
        graph, weight = self.item_graph(data), self.items.lin.weight.T
        return (spmm(graph, spmm(graph, weight)) + weight) / 2

    def _infer(
        self,
        data: HeteroData,
        taken: CSRGraph,
        log_c: tuple[Tensor, Tensor],
        smooth: Tensor | CSRGraph,
        noise: bool = False,
    ) -> _Inferred:
        """Both encoders and what they exchange.

        ``smooth`` is the encoder of items behind the graph, as :meth:`_smooth_encoder` gives it; or
        the transposed graph, if there is to be dropout between graph and encoder.
        """
        std, p = self.std if noise else 0.0, 0.0 if isinstance(smooth, Tensor) else self.dropout
        bag = spmm(taken, self._item_words(data))
        bag = F.normalize(torch.cat([bag.relu(), (-bag).relu()], dim=1))  # [B, 2 * d_text]
        c = log_c[1].exp()
        norm = (bag.square() @ c.square()).clamp(min=1e-24).sqrt()  # [B, K]
        h = dropout(bag.unsqueeze(1) * c.T, p) @ self.words.lin.weight.T / norm.unsqueeze(2)
        by_word, log_var_word = self.words.encode(h + self.words.lin.bias, std)

        c = log_c[0].exp()
        norm = spmm(taken, c.square()).clamp(min=1e-24).sqrt()  # [B, K]
        weight = F.embedding(taken.col, c) / F.embedding(taken.dst, norm)  # [E, K]
        if isinstance(smooth, Tensor):
            h = torch.stack([spmm(taken.with_weight(w), smooth) for w in weight.unbind(1)], 1)
        else:
            x = c.new_zeros(c.size(0), *norm.shape)  # [N, B, K]
            x = x.index_put_((taken.col.long(), taken.dst.long()), weight).flatten(1)
            x = dropout((spmm(smooth, spmm(smooth, x)) + x) / 2, p)
            h = (self.items.lin.weight @ x).T.view(*norm.shape, -1)
        by_item, log_var_item = self.items.encode(h + self.items.lin.bias, std)

        shared = attend(by_word, by_item), attend(by_item, by_word)
        return _Inferred(shared[0] + shared[1], bag, shared, (log_var_item, log_var_word))

    def _taken(self, data: HeteroData, users: Tensor) -> CSRGraph:
        return history_graph(self.user_item_graphs(data)[1], users)

    def _item_words(self, data: HeteroData) -> Tensor:
        """Each item's text and captions ``[N, d_text]``, once for the features of ``data``."""
        keys = [key for m in self.modalities for key in (f"x_{m}", f"{m}_mask")]
        source = tuple(data["item"][key] for key in keys)
        return self._words(source, lambda: self._caption(data))

    @torch.no_grad()
    def _caption(self, data: HeteroData) -> Tensor:
        store = data["item"]
        lacks = ~store[f"{self.text}_mask"].unsqueeze(1)
        text = unit_rows(store[f"x_{self.text}"].masked_fill(lacks, 0))
        # What all items share tells none apart: centring does what inverse frequencies do to words.
        text = (text - text.sum(0) / (~lacks).sum().clamp(min=1)).masked_fill(lacks, 0)
        words = self.item_graph.shares[self.text] * text
        for m, edges in self.item_graph.parts(data).items():
            if m != self.text:
                nearest = csr_graph(*edges, size=(text.size(0), text.size(0)))
                words = words + self.item_graph.shares[m] * spmm(nearest, text)
        return unit_rows(words)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.items.word.num_embeddings}, {self.modalities}, "
            f"{self.items.word.embedding_dim}, num_factors={self.items.prototype.num_embeddings}, "
            f"k={self.item_graph.k}, text={self.text!r})"
        )
