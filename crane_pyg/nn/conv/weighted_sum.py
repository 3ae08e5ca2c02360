from typing import Any

from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.typing import Adj, OptTensor, Size
from torch_geometric.utils import spmm as pyg_spmm

from crane_pyg.ops import CSRGraph, spmm


class WeightedSum(MessagePassing):
    r"""Sums weighted messages on any form of a graph: what our convolutions have in common.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{ji} \, \mathbf{x}_j

    PyG's ``SimpleConv`` drops the weights of an ``EdgeIndex`` on its fused path and knows no kept
    transpose.

    Shapes:
        - **x:** ``[num_src, d]`` or a pair ``([num_src, d], [num_dst, *] or None)``
        - **edge_index:** ``[2, E]`` or an ``EdgeIndex``, with ``edge_weight`` ``[E]``; a
          ``SparseTensor`` or a torch CSR matrix ``[num_dst, num_src]`` that holds the weights (PyG's
          ``adj_t``); or a :class:`~crane_pyg.ops.CSRGraph`, the fastest
        - **output:** ``[num_dst, d]``
    """

    SUPPORTS_FUSED_EDGE_INDEX = True

    def __init__(self, aggr: Any = "sum", **kwargs: Any) -> None:
        super().__init__(aggr=aggr, **kwargs)

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Adj | CSRGraph,
        edge_weight: OptTensor = None,
        size: Size = None,
    ) -> Tensor:
        src, dst = (x, x) if isinstance(x, Tensor) else x
        if isinstance(edge_index, CSRGraph):
            _refuse_weight(edge_index, edge_weight)
            return spmm(edge_index, src)
        if not isinstance(edge_index, Tensor) or edge_index.is_sparse_csr:
            _refuse_weight(edge_index, edge_weight)
        elif size is None and not isinstance(edge_index, EdgeIndex):
            size = (src.size(0), None if dst is None else dst.size(0))  # type: ignore[assignment]
        return self.propagate(edge_index, x=(src, dst), edge_weight=edge_weight, size=size)

    def message(self, x_j: Tensor, edge_weight: OptTensor) -> Tensor:
        return x_j if edge_weight is None else edge_weight.view(-1, 1) * x_j

    def message_and_aggregate(
        self, adj_t: Adj, x: tuple[Tensor, OptTensor], edge_weight: OptTensor
    ) -> Tensor:
        if isinstance(adj_t, EdgeIndex):
            return adj_t.matmul(x[0], edge_weight, transpose=True)
        return pyg_spmm(adj_t, x[0], reduce="sum")


def _refuse_weight(edge_index: object, edge_weight: OptTensor) -> None:
    if edge_weight is not None:
        raise ValueError(
            f"edge_weight must be None, the weights are in the matrix (got {type(edge_index).__name__} "
            "and edge_weight)"
        )
