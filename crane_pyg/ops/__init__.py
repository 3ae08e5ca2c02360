"""Pure functions: tensors in, tensors out."""

from crane_pyg.ops.knn import edge_cosine, knn_graph
from crane_pyg.ops.spmm import CSRGraph, csr_graph, spmm
from crane_pyg.ops.tanh_attention import tanh_attention

__all__ = ["CSRGraph", "csr_graph", "edge_cosine", "knn_graph", "spmm", "tanh_attention"]
