from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.ops import CSRGraph, csr_graph
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.transforms import bipartite_norm


class Preset(NamedTuple):
    """Published settings: arguments of the model's constructor and of ``fit``."""

    model: dict[str, Any]
    fit: dict[str, Any]


class Recommender(torch.nn.Module):
    """What training and evaluation ask of a model: sizes in, embeddings out.

    A subclass implements :meth:`forward`, :meth:`loss` and :meth:`from_data`; the score of a pair
    is the inner product of its embeddings, unless :meth:`scores` says otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self._edge_index: Tensor | None = None
        self._graphs: tuple[CSRGraph, CSRGraph] | None = None

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        """Construct with the sizes of ``data``; ``kwargs`` go to the constructor."""
        raise NotImplementedError

    @classmethod
    def skeleton(cls, data: HeteroData, **kwargs: Any) -> Self:
        """What :meth:`from_data` constructs, for a state that is about to be loaded: what it would
        only find out from the features may be left out."""
        return cls.from_data(data, **kwargs)

    @classmethod
    def preset(cls, name: str) -> Preset:
        """Published settings by name.

        Raises:
            ValueError: if there are none of that name.
        """
        raise ValueError(f"{cls.__name__} has no preset (got {name!r})")

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """Embeddings of all users ``[M, d]`` and all items ``[N, d]``."""
        raise NotImplementedError

    def scores(self, user: Tensor, item: Tensor) -> Tensor:
        """Scores ``[m, n]`` of rows of the embeddings: users ``[m, d]``, items ``[n, d]``."""
        return user @ item.T

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        """Named, weighted terms of the training loss of one batch; their sum is minimised.

        Args:
            data: the graph.
            user, pos, neg (Tensor): ``[B]`` users, items they took, items they did not.
        """
        raise NotImplementedError

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters and their learning rates, as :class:`torch.optim.Optimizer` takes them."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def start_epoch(self, data: HeteroData) -> None:
        """Called by training before the first batch of each epoch; draw or rebuild graphs here."""

    def user_item_graphs(self, data: HeteroData) -> tuple[CSRGraph, CSRGraph]:
        """User-to-item and item-to-user edges with Laplacian weights, built once per ``data``."""
        edge_index = data[USER_TO_ITEM].edge_index
        if self._graphs is None or edge_index is not self._edge_index:
            size = (data["user"].num_nodes, data["item"].num_nodes)
            graph = csr_graph(edge_index, bipartite_norm(edge_index, size), size=size)
            self._graphs = (graph, graph.transpose())
            self._edge_index = edge_index
        return self._graphs


def l2_of_batch(*embeddings: Tensor) -> Tensor:
    """Half the squared norm of the batch's embeddings, per row of the batch."""
    total = torch.stack([x.square().sum() for x in embeddings]).sum()
    return total / (2 * embeddings[0].size(0))


def norm_of_batch(*embeddings: Tensor) -> Tensor:
    """The norms, not squared, of the whole batch's embeddings over its size, as MMRec has them."""
    total = torch.stack([x.norm() for x in embeddings]).sum()
    return total / embeddings[0].size(0)
