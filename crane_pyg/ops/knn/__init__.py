"""Nearest-neighbour graphs: one door, one file per implementation."""

from crane_pyg.ops.knn.door import knn_graph
from crane_pyg.ops.knn.modalities import modality_knn_graph
from crane_pyg.ops.knn.similarity import edge_cosine

__all__ = ["edge_cosine", "knn_graph", "modality_knn_graph"]
