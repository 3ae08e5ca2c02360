from typing import Literal

import torch

from crane_pyg.choices import check_choice
from crane_pyg.nn.kept import KeptFor
from crane_pyg.ops import CSRGraph
from crane_pyg.transforms import DropMode, bipartite_norm, degree_drop_edge

Degrees = Literal["full", "sampled"]


class DegreeThinning(torch.nn.Module):
    r"""The user-item graph without some of its edges, drawn anew each epoch, in training alone.

    Edges between busy nodes go first, see :func:`~crane_pyg.transforms.degree_drop_edge`.

    Args:
        mode (str): ``'bernoulli'``, each edge by itself (eq. 2), or ``'multinomial'``, a fixed
            number of them, as in FREEDOM. (default: ``'bernoulli'``)
        ratio (float): share of the edges that ``'multinomial'`` drops, in [0, 1).
            (default: ``0.8``)
        degrees (str): whose the weights :math:`1 / \sqrt{d_u d_i}` are: those of the ``'full'``
            graph, or of what is left of it, ``'sampled'``. (default: ``'full'``)

    Raises:
        ValueError: if the mode or the degrees are unknown, or the ratio is out of range.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.graphs import DegreeThinning
        >>> from crane_pyg.ops import csr_graph
        >>> to_item = csr_graph(torch.randint(50, (2, 1000)).unique(dim=1), size=(50, 50))
        >>> thinning = DegreeThinning("multinomial", ratio=0.8)
        >>> kept, _ = thinning((to_item, to_item.transpose()))
        >>> round(kept.weight.numel() / to_item.weight.numel(), 1)
        0.2
    """

    def __init__(
        self, mode: DropMode = "bernoulli", ratio: float = 0.8, degrees: Degrees = "full"
    ) -> None:
        super().__init__()
        check_choice("mode", mode, DropMode)
        check_choice("degrees", degrees, Degrees)
        if not 0 <= ratio < 1:
            raise ValueError(f"ratio must lie in [0, 1) (got {ratio})")
        self.mode = mode
        self.ratio = ratio
        self.degrees = degrees
        self._sample = KeptFor[tuple[CSRGraph, CSRGraph]]()

    def start_epoch(self) -> None:
        """To be called as each epoch begins; the next pass in training draws."""
        self._sample.clear()

    def forward(self, graphs: tuple[CSRGraph, CSRGraph]) -> tuple[CSRGraph, CSRGraph]:
        """The graphs without what is dropped, or as they are in evaluation.

        Args:
            graphs: user-to-item and item-to-user edges with Laplacian weights.

        Shapes:
            - **graphs:** :class:`~crane_pyg.ops.CSRGraph` each
            - **output:** the same, of the edges that stay
        """
        if not self.training:
            return graphs
        return self._sample((graphs[0].col, graphs[0].rowptr), lambda: self._draw(graphs[0]))

    def _draw(self, graph: CSRGraph) -> tuple[CSRGraph, CSRGraph]:
        edge_index, size = graph.edge_index, (graph.num_src, graph.num_dst)
        kept = degree_drop_edge(edge_index, size, mode=self.mode, ratio=self.ratio)
        sample = graph.select(kept)
        if self.degrees == "sampled":
            sample = sample.with_weight(bipartite_norm(sample.edge_index, size))
        return sample, sample.transpose()

    def __repr__(self) -> str:
        ratio = f", ratio={self.ratio}" if self.mode == "multinomial" else ""
        return f"{self.__class__.__name__}({self.mode!r}{ratio}, degrees={self.degrees!r})"
