"""Linear item-item models: what a user took, times a matrix that is solved for, not learned."""

from crane_pyg.nn.linear.base import DenseItemToItem, ItemToItem, SparseItemToItem
from crane_pyg.nn.linear.ease import EASE
from crane_pyg.nn.linear.item_knn import By, ItemKNN
from crane_pyg.nn.linear.local_ease import LocalEASE

__all__ = [
    "EASE",
    "By",
    "DenseItemToItem",
    "ItemKNN",
    "ItemToItem",
    "LocalEASE",
    "SparseItemToItem",
]
