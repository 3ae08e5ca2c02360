"""One paper per file, one contract for all."""

from crane_pyg.nn.models.crane import CRANE
from crane_pyg.nn.models.lightgcn import LightGCN
from crane_pyg.nn.models.recommender import Recommender

MODELS: dict[str, type[Recommender]] = {"crane": CRANE, "lightgcn": LightGCN}

__all__ = ["CRANE", "MODELS", "LightGCN", "Recommender"]
