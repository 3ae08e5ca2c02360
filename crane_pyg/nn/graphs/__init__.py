"""The graphs that models walk on: which items resemble each other, and the user-item graph without
some of its edges; a file for each kind."""

from crane_pyg.nn.graphs.base import ItemGraph
from crane_pyg.nn.graphs.edges import Edges, sum_edges
from crane_pyg.nn.graphs.frozen import FrozenItemGraph, modality_shares
from crane_pyg.nn.graphs.latent import LatentItemGraph
from crane_pyg.nn.graphs.learned import LearnedItemGraph
from crane_pyg.nn.graphs.pooled import PooledItemGraph
from crane_pyg.nn.graphs.refreshed import Refresh, RefreshedItemGraph
from crane_pyg.nn.graphs.thinned import Degrees, DegreeThinning
from crane_pyg.nn.graphs.weighing import choose_shares

__all__ = [
    "DegreeThinning",
    "Degrees",
    "Edges",
    "FrozenItemGraph",
    "ItemGraph",
    "LatentItemGraph",
    "LearnedItemGraph",
    "PooledItemGraph",
    "Refresh",
    "RefreshedItemGraph",
    "choose_shares",
    "modality_shares",
    "sum_edges",
]
