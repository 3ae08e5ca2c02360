import torch
from torch_geometric.data import HeteroData

from crane_pyg.ops import CSRGraph


class ItemGraph(torch.nn.Module):
    """Which items resemble each other: the graph that models pass items' embeddings over.

    A kind of graph is a file in this folder with a subclass. Models hold one as ``item_graph`` and
    call it once in each forward pass.
    """

    @property
    def learns(self) -> bool:
        """Whether the graph changes while a model trains."""
        return any(p.requires_grad for p in self.parameters())

    @property
    def degree(self) -> int | None:
        """Edges into each item that has any; ``None`` where their number varies."""
        return None

    def reset_parameters(self) -> None:
        """Draw all parameters anew, and forget what was built with the old ones."""

    def forward(self, data: HeteroData) -> CSRGraph:
        """The graph.

        Args:
            data: the graph of users and items; ``data['item']`` has ``x_m`` and ``m_mask`` for each
                modality m.

        Shapes:
            - **data['item']:** ``x_m`` ``[N, d_m]`` and ``m_mask`` ``[N]`` bool, false where an
              item lacks the modality; an item that lacks all neither has nor is a neighbour
            - **output:** :class:`~crane_pyg.ops.CSRGraph` of N items, edges from the neighbour
        """
        raise NotImplementedError

    def start_epoch(self) -> None:
        """To be called as each epoch begins."""

    def warm_start(self, data: HeteroData) -> None:
        """Start from what the data say, before training.

        Args:
            data: as :meth:`forward` takes it.
        """
