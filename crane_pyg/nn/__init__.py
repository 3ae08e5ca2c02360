"""Layers that compose into any PyG model."""

from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.conv import (
    BipartiteConv,
    SemanticConv,
    UserProfile,
    WeightedSumConv,
    light_gcn_propagation,
)
from crane_pyg.nn.item_graph import ItemGraph
from crane_pyg.nn.objectives import bpr_loss, info_nce_loss
from crane_pyg.nn.refreshed_graph import RefreshedGraph

__all__ = [
    "BipartiteConv",
    "ItemGraph",
    "RecursiveCrossModalAttention",
    "RefreshedGraph",
    "SemanticConv",
    "UserProfile",
    "WeightedSumConv",
    "bpr_loss",
    "info_nce_loss",
    "light_gcn_propagation",
]
