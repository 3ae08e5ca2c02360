from typing import Any

from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.typing import Adj, OptTensor, Size
from torch_geometric.utils import spmm as pyg_spmm

from crane_pyg.ops import CSRGraph, spmm


class WeightedSumConv(MessagePassing):
    r"""Sums weighted messages on any form of a graph; the base of the convolutions here.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{ji} \, \mathbf{x}_j

    PyG's ``SimpleConv`` drops the weights of an ``EdgeIndex`` on its fused path, has no gradient
    there for a rectangular graph, and knows no kept transpose.

    Args:
        aggr: as :class:`torch_geometric.nn.conv.MessagePassing` takes it. (default: ``'sum'``)
        **kwargs: likewise.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.conv import WeightedSumConv
        >>> edge_index = torch.tensor([[0, 1], [2, 2]])
        >>> WeightedSumConv()(torch.eye(3), edge_index, torch.tensor([0.5, 2.0]))
        tensor([[0.0000, 0.0000, 0.0000],
                [0.0000, 0.0000, 0.0000],
                [0.5000, 2.0000, 0.0000]])
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
        """The weighted sum of each node's neighbours.

        Args:
            x (Tensor or pair): features of the nodes, or of sources and of destinations, where the
                latter may be ``None``.
            edge_index: the graph: an index or an ``EdgeIndex``; a ``SparseTensor`` or a torch CSR
                matrix that holds the weights (PyG's ``adj_t``); or a
                :class:`~crane_pyg.ops.CSRGraph`, the fastest.
            edge_weight (Tensor, optional): for a graph without weights. (default: ones)
            size (pair, optional): how many sources and destinations, for an index whose
                destinations are not in ``x``. (default: as many as sources)

        Shapes:
            - **x:** ``[num_src, d]`` or a pair ``([num_src, d], [num_dst, *] or None)``
            - **edge_index:** ``[2, E]`` or a matrix ``[num_dst, num_src]``
            - **edge_weight:** ``[E]``
            - **output:** ``[num_dst, d]``

        Raises:
            ValueError: if ``edge_weight`` comes with a graph that holds its weights, or ``x`` does
                not have one row per source.
        """
        src, dst = (x, x) if isinstance(x, Tensor) else x
        if isinstance(edge_index, CSRGraph):
            _refuse_weight(edge_index, edge_weight)
            return spmm(edge_index, src)
        if isinstance(edge_index, EdgeIndex) and None in edge_index.sparse_size():
            edge_index = edge_index.as_tensor()  # the largest indices need not be the sizes
        if not isinstance(edge_index, Tensor) or edge_index.is_sparse_csr:
            _refuse_weight(edge_index, edge_weight)
        elif size is None and not isinstance(edge_index, EdgeIndex):
            size = (src.size(0), src.size(0) if dst is None else dst.size(0))
        return self.propagate(edge_index, x=(src, dst), edge_weight=edge_weight, size=size)

    def message(self, x_j: Tensor, edge_weight: OptTensor) -> Tensor:
        return x_j if edge_weight is None else edge_weight.view(-1, 1) * x_j

    def message_and_aggregate(
        self, adj_t: Adj, x: tuple[Tensor, OptTensor], edge_weight: OptTensor
    ) -> Tensor:
        if isinstance(adj_t, EdgeIndex):
            return spmm(_keep_transpose(adj_t, edge_weight, x[0]), x[0])
        return pyg_spmm(adj_t, x[0], reduce="sum")


def _keep_transpose(edge_index: EdgeIndex, edge_weight: OptTensor, x: Tensor) -> CSRGraph:
    """The two directions that an ``EdgeIndex`` sorted by destination caches."""
    (colptr, row), _ = edge_index.get_csc()
    (rowptr, col), perm = edge_index.get_csr()
    weight = x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight
    return CSRGraph(colptr, row, weight, rowptr, col, perm, weight.detach()[perm])


def _refuse_weight(edge_index: object, edge_weight: OptTensor) -> None:
    if edge_weight is not None:
        raise ValueError(
            "edge_weight must be None, the weights are in the matrix "
            f"(got {type(edge_index).__name__} and edge_weight)"
        )
