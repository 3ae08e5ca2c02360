"""Pure functions: tensors in, tensors out."""

from crane_pyg.ops.als import alternating_least_squares
from crane_pyg.ops.attention import AttentionImpl, tanh_attention, tanh_attention_error
from crane_pyg.ops.csr import CSRGraph, csr_graph
from crane_pyg.ops.distinct import distinct
from crane_pyg.ops.dropout import dropout
from crane_pyg.ops.ease import ease, local_ease
from crane_pyg.ops.fill import fill_missing
from crane_pyg.ops.graph_recall import GraphRecall, graph_recall
from crane_pyg.ops.item_knn import Weighting, item_knn
from crane_pyg.ops.knn import KNNImpl, edge_cosine, knn_graph, modality_knn_graph, unit_rows
from crane_pyg.ops.sample import some_of
from crane_pyg.ops.sparse import spmm, spmm_and_read

__all__ = [
    "AttentionImpl",
    "CSRGraph",
    "GraphRecall",
    "KNNImpl",
    "Weighting",
    "alternating_least_squares",
    "csr_graph",
    "distinct",
    "dropout",
    "ease",
    "edge_cosine",
    "fill_missing",
    "graph_recall",
    "item_knn",
    "knn_graph",
    "local_ease",
    "modality_knn_graph",
    "some_of",
    "spmm",
    "spmm_and_read",
    "tanh_attention",
    "tanh_attention_error",
    "unit_rows",
]
