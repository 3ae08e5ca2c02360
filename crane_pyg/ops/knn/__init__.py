"""Nearest-neighbour graphs: one function to call, a file for each implementation."""

from crane_pyg.ops.knn.api import Impl as KNNImpl
from crane_pyg.ops.knn.api import knn_graph
from crane_pyg.ops.knn.modalities import modality_knn_graph
from crane_pyg.ops.knn.similarity import edge_cosine, unit_rows

__all__ = ["KNNImpl", "edge_cosine", "knn_graph", "modality_knn_graph", "unit_rows"]
