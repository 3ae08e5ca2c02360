"""Layers that propagate over a graph; a file for each."""

from crane_pyg.nn.conv.bipartite_conv import BipartiteConv
from crane_pyg.nn.conv.item_view_propagation import item_view_propagation
from crane_pyg.nn.conv.light_gcn_propagation import light_gcn_propagation, light_gcn_rows
from crane_pyg.nn.conv.semantic_conv import SemanticConv
from crane_pyg.nn.conv.user_profile import ProfileAggregation, UserProfile
from crane_pyg.nn.conv.weighted_sum_conv import WeightedSumConv

__all__ = [
    "BipartiteConv",
    "ProfileAggregation",
    "SemanticConv",
    "UserProfile",
    "WeightedSumConv",
    "item_view_propagation",
    "light_gcn_propagation",
    "light_gcn_rows",
]
