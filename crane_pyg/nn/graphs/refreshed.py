from typing import Any, Literal

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.ops import CSRGraph, csr_graph

Refresh = Literal["epoch", "step"] | int | None


class RefreshedItemGraph(ItemGraph):
    """A graph that is learned, rebuilt now and then, and kept in between.

    Choosing neighbours takes long and has no gradient; their weights have one. So the pass that
    rebuilds the graph gets weights with a gradient, and the passes that follow get the same weights
    without. The graph as last built is part of the ``state_dict``, so that a loaded model scores as
    the saved one did. A graph whose items have different numbers of neighbours (:attr:`degree` is
    ``None``) is not part of it: it is kept while training, and built for each pass in evaluation.

    Args:
        graph (ItemGraph): what is rebuilt.
        num_items (int): :math:`N`.
        refresh (int or str, optional): epochs between rebuilds; ``'epoch'`` is 1, ``'step'`` each
            pass in training, ``None`` builds once. (default: ``'epoch'``)

    Raises:
        ValueError: if ``refresh`` is something else.
    """

    neighbor: Tensor
    neighbor_weight: Tensor
    epoch: Tensor

    def __init__(self, graph: ItemGraph, num_items: int, refresh: Refresh = "epoch") -> None:
        super().__init__()
        known = refresh in ("epoch", "step", None) or (isinstance(refresh, int) and refresh > 0)
        if not known:
            raise ValueError(
                f"refresh must be 'epoch', 'step', None or epochs >= 1 (got {refresh!r})"
            )
        self.graph = graph
        self.refresh = refresh
        shape = (num_items, graph.degree or 0)
        self.register_buffer("neighbor", torch.zeros(shape, dtype=torch.long))
        self.register_buffer("neighbor_weight", torch.zeros(shape))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))  # begun so far
        self._forget()

    @property
    def learns(self) -> bool:
        return self.graph.learns

    @property
    def degree(self) -> int | None:
        return self.graph.degree

    def reset_parameters(self) -> None:
        self.graph.reset_parameters()
        self._forget()

    def _forget(self) -> None:
        self.neighbor.zero_()
        self.neighbor_weight.zero_()
        self.epoch.zero_()
        self._built: CSRGraph | None = None
        self._stale = True

    def start_epoch(self) -> None:
        """To be called as each epoch begins; where :attr:`refresh` says so, the next pass rebuilds
        the graph."""
        if self.refresh is not None:
            every = self.refresh if isinstance(self.refresh, int) else 1
            self._stale |= int(self.epoch) % every == 0
        self.epoch += 1
        self.graph.start_epoch()

    def warm_start(self, data: HeteroData) -> None:
        self.graph.warm_start(data)

    def forward(self, data: HeteroData) -> CSRGraph:
        if self.degree is None and not self.training:
            return self.graph(data)
        if self._stale or (self.training and self.refresh == "step"):
            graph: CSRGraph = self.graph(data)
            self._keep(graph)
            return graph
        if self._built is None:
            num_items, degree = self.neighbor.shape
            item = torch.arange(num_items, device=self.neighbor.device).repeat_interleave(degree)
            edge_index = torch.stack([self.neighbor.view(-1), item])
            weight = self.neighbor_weight.view(-1)
            self._built = csr_graph(edge_index, weight, size=(num_items, num_items))
        return self._built

    def _keep(self, graph: CSRGraph) -> None:
        self._built = graph.with_weight(graph.weight.detach())
        self._stale = False
        if degree := self.degree:
            item = graph.dst[::degree].long()
            self.neighbor.zero_()[item] = graph.col.long().view(-1, degree)
            weight = self._built.weight.to(self.neighbor_weight.dtype)
            self.neighbor_weight.zero_()[item] = weight.view(-1, degree)

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        out: Self = super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._built = None
        self._stale |= self.degree is None
        return out

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._built = None
        self._stale = self.degree is None or int(self.epoch) == 0

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.graph}, refresh={self.refresh!r})"
