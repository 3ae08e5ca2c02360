from typing import Literal

import torch
from torch import Tensor
from torch.nn import Linear, ModuleList
from torch_geometric.nn.inits import reset
from torch_geometric.nn.resolver import activation_resolver

from crane_pyg.choices import check_choice
from crane_pyg.nn.conv import BipartiteConv, light_gcn_rows
from crane_pyg.nn.fold_in import over_root_degree
from crane_pyg.nn.graphs import DegreeThinning
from crane_pyg.ops import CSRGraph
from crane_pyg.ops.sparse import rows_of

Readout = Literal["last", "mean", "sum"]


class CollaborativeEncoder(torch.nn.Module):
    r"""Passes the embeddings of users and items over the user-item graph (eq. 2-4).

    Layers of :class:`~crane_pyg.nn.BipartiteConv` and a readout over them; without weights and
    activation, and with the mean, it is LightGCN.

    Args:
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): :math:`L_{UI}`. (default: ``2``)
        conv_weight (bool): :math:`\mathbf{W}^{(l)}` of eq. 3. (default: ``False``)
        act (str, optional): :math:`\sigma` of eq. 3, by the name of a torch activation.
            (default: ``None``)
        readout (str): ``'last'``, ``'mean'`` or ``'sum'`` over the layers and what comes in.
            (default: ``'mean'``)
        thinning (DegreeThinning, optional): drops edges in training. (default: ``None``)

    Raises:
        ValueError: if the activation or the readout is unknown.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import CollaborativeEncoder
        >>> from crane_pyg.ops import csr_graph
        >>> from crane_pyg.transforms import bipartite_norm
        >>> taken = torch.tensor([[0, 0, 1], [0, 2, 3]])  # user, item
        >>> to_item = csr_graph(taken, bipartite_norm(taken, (2, 4)), size=(2, 4))
        >>> encoder = CollaborativeEncoder(16, num_layers=2)
        >>> graphs = to_item, to_item.transpose()
        >>> user, item = encoder(torch.randn(2, 16), torch.randn(4, 16), graphs)
        >>> user.shape, item.shape
        (torch.Size([2, 16]), torch.Size([4, 16]))
    """

    def __init__(
        self,
        embedding_dim: int = 64,
        num_layers: int = 2,
        *,
        conv_weight: bool = False,
        act: str | None = None,
        readout: Readout = "mean",
        thinning: DegreeThinning | None = None,
    ) -> None:
        super().__init__()
        check_choice("readout", readout, Readout)
        width = embedding_dim if conv_weight else None
        sigma = None if act is None else activation_resolver(act)
        self.convs = ModuleList(BipartiteConv(width, act=sigma) for _ in range(num_layers))
        self.readout = readout
        self.thinning = thinning

    def reset_parameters(self) -> None:
        reset(self.convs)
        self.start_epoch()

    def start_epoch(self) -> None:
        """To be called as each epoch begins; the edges that stay are drawn anew."""
        if self.thinning is not None:
            self.thinning.start_epoch()

    def forward(
        self,
        user: Tensor,
        item: Tensor,
        graphs: tuple[CSRGraph, CSRGraph],
        users: Tensor | None = None,
        items: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Embeddings that know their neighbours.

        Args:
            user (Tensor): embeddings of the users.
            item (Tensor): embeddings of the items.
            graphs: user-to-item and item-to-user edges with Laplacian weights.
            users, items (Tensor, optional): the distinct ones that are wanted. (default: all)

        Shapes:
            - **user:** ``[M, d]``, **item:** ``[N, d]``
            - **users:** ``[m]``, **items:** ``[n]``
            - **output:** ``[M, d]`` and ``[N, d]``, or ``[m, d]`` and ``[n, d]``
        """
        graphs = graphs if self.thinning is None else self.thinning(graphs)
        some = users is not None or items is not None
        if some and self._is_light:
            return light_gcn_rows(user, item, graphs, len(self.convs), users, items)[:2]
        user, item = self._convolved(user, item, graphs)
        return rows_of(user, users), rows_of(item, items)

    @property
    def _is_light(self) -> bool:
        """Whether this is LightGCN: no weights, no activation, and the mean."""
        plain = (type(c) is BipartiteConv and c.lin is None and c.act is None for c in self.convs)
        return self.readout == "mean" and all(plain)

    def _convolved(
        self, user: Tensor, item: Tensor, graphs: tuple[CSRGraph, CSRGraph]
    ) -> tuple[Tensor, Tensor]:
        to_item, to_user = graphs
        users, items = [user], [item]
        for conv in self.convs:
            user, item = conv((item, None), to_user), conv((user, None), to_item)
            users.append(user)
            items.append(item)
        if self.readout == "last":
            return user, item
        scale = 1 / len(users) if self.readout == "mean" else 1.0
        return scale * sum(users[1:], users[0]), scale * sum(items[1:], items[0])

    def fold_in(
        self, user: Tensor, item: Tensor, graphs: tuple[CSRGraph, CSRGraph]
    ) -> Tensor | None:
        """What each item adds to the embedding of a new user who took it, but for the root of how
        many that user took; see :class:`~crane_pyg.nn.fold_in.FoldIn`.

        Args:
            user, item, graphs: as :meth:`forward` takes them.

        Returns:
            ``[N, d]``; ``None`` where an activation makes it no sum.
        """
        if any(conv.act is not None for conv in self.convs):
            return None
        to_item, to_user = graphs
        layers = []
        for conv in self.convs:
            lin: Linear | None = conv.lin  # type: ignore[assignment]
            layers.append(item if lin is None else lin(item))
            user, item = conv((item, None), to_user), conv((user, None), to_item)
        layers = layers[-1:] if self.readout == "last" else layers
        total = torch.stack(layers).sum(0) if layers else torch.zeros_like(item)
        scale = 1 / (len(self.convs) + 1) if self.readout == "mean" else 1.0
        return scale * over_root_degree(total, to_item)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(num_layers={len(self.convs)}, readout={self.readout!r}, "
            f"thinning={self.thinning})"
        )
