"""One paper per file, one contract for all."""

from crane_pyg.nn.models.crane import CRANE
from crane_pyg.nn.models.freedom import FREEDOM
from crane_pyg.nn.models.lattice import LATTICE
from crane_pyg.nn.models.lgmrec import LGMRec
from crane_pyg.nn.models.lightgcn import LightGCN
from crane_pyg.nn.models.recommender import Recommender

MODELS: dict[str, type[Recommender]] = {
    "crane": CRANE,
    "freedom": FREEDOM,
    "lattice": LATTICE,
    "lgmrec": LGMRec,
    "lightgcn": LightGCN,
}

__all__ = ["CRANE", "FREEDOM", "LATTICE", "MODELS", "LGMRec", "LightGCN", "Recommender"]
