"""Transforms build and normalise graphs."""

from crane_pyg.transforms.add_similar_items import AddSimilarItems
from crane_pyg.transforms.drop_edge import DegreeDropEdge, DropMode, degree_drop_edge
from crane_pyg.transforms.fill_missing import FillMissing
from crane_pyg.transforms.normalize import bipartite_norm, row_normalize, symmetric_norm

__all__ = [
    "AddSimilarItems",
    "DegreeDropEdge",
    "DropMode",
    "FillMissing",
    "bipartite_norm",
    "degree_drop_edge",
    "row_normalize",
    "symmetric_norm",
]
