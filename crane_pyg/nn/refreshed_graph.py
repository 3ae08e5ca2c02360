from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from crane_pyg.ops import CSRGraph, csr_graph


class RefreshedGraph(torch.nn.Module):
    """A graph that is learned, rebuilt now and then, and kept in between.

    Choosing neighbours is dear and has no gradient; their weights have one. So the pass that
    rebuilds the graph gets weights with a gradient, and those that follow the same ones without.
    The graph as last built belongs to the ``state_dict``: saved weights score as they did.

    Args:
        num_nodes (int): :math:`N`.
        degree (int): edges into each node that has any.
        refresh (int or str, optional): epochs between rebuilds; ``'epoch'`` is 1, ``'step'`` each
            pass in training, ``None`` builds once. (default: ``'epoch'``)

    Shapes:
        - **build:** a function without arguments that returns ``edge_index`` ``[2, E]``, the edges
          into a node side by side, and ``edge_weight`` ``[E]``
        - **output:** :class:`~crane_pyg.ops.CSRGraph` of :math:`N` nodes

    Raises:
        ValueError: if ``refresh`` is something else.
    """

    neighbor: Tensor
    neighbor_weight: Tensor
    epoch: Tensor

    def __init__(self, num_nodes: int, degree: int, refresh: int | str | None = "epoch") -> None:
        super().__init__()
        known = refresh in ("epoch", "step", None) or (isinstance(refresh, int) and refresh > 0)
        if not known:
            raise ValueError(
                f"refresh must be 'epoch', 'step', None or epochs >= 1 (got {refresh!r})"
            )
        self.refresh = refresh
        self.register_buffer("neighbor", torch.zeros(num_nodes, degree, dtype=torch.long))
        self.register_buffer("neighbor_weight", torch.zeros(num_nodes, degree))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))  # begun so far
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.neighbor.zero_()
        self.neighbor_weight.zero_()
        self.epoch.zero_()
        self._graph: CSRGraph | None = None
        self._stale = True

    def start_epoch(self) -> None:
        """To be called as each epoch begins."""
        if self.refresh is not None:
            every = self.refresh if isinstance(self.refresh, int) else 1
            self._stale |= int(self.epoch) % every == 0
        self.epoch += 1

    def forward(self, build: Callable[[], tuple[Tensor, Tensor]]) -> CSRGraph:
        if self._stale or (self.training and self.refresh == "step"):
            return self._rebuild(*build())
        if self._graph is None:
            num_nodes, degree = self.neighbor.shape
            node = torch.arange(num_nodes, device=self.neighbor.device).repeat_interleave(degree)
            edge_index = torch.stack([self.neighbor.view(-1), node])
            weight = self.neighbor_weight.view(-1)
            self._graph = csr_graph(edge_index, weight, size=(num_nodes, num_nodes))
        return self._graph

    def _rebuild(self, edge_index: Tensor, weight: Tensor) -> CSRGraph:
        num_nodes, degree = self.neighbor.shape
        graph = csr_graph(edge_index, weight, size=(num_nodes, num_nodes))
        self._graph = graph.with_weight(graph.weight.detach())
        self._stale = False
        node = edge_index[1, ::degree]
        self.neighbor.zero_()[node] = edge_index[0].view(-1, degree)
        self.neighbor_weight.zero_()[node] = weight.detach().view(-1, degree)
        return graph

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        out: Self = super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._graph = None
        return out

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._graph = None
        self._stale = int(self.epoch) == 0

    def __repr__(self) -> str:
        num_nodes, degree = self.neighbor.shape
        return f"{self.__class__.__name__}({num_nodes}, {degree}, refresh={self.refresh!r})"
