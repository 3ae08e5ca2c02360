"""One paper per file, one contract for all."""

from crane_pyg.nn.models.bpr import BPR
from crane_pyg.nn.models.crane import CRANE
from crane_pyg.nn.models.dgvae import DGVAE
from crane_pyg.nn.models.freedom import FREEDOM
from crane_pyg.nn.models.lattice import LATTICE
from crane_pyg.nn.models.lgmrec import LGMRec
from crane_pyg.nn.models.lightgcn import LightGCN
from crane_pyg.nn.models.lpic import LPIC
from crane_pyg.nn.models.mmgcn import MMGCN
from crane_pyg.nn.models.multivae import MultiVAE
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.models.simplex import SimpleX
from crane_pyg.nn.models.slmrec import SLMRec
from crane_pyg.nn.models.solved import SolvedRecommender
from crane_pyg.nn.models.ultragcn import UltraGCN
from crane_pyg.nn.models.vbpr import VBPR

MODELS: dict[str, type[Recommender]] = {
    "bpr": BPR,
    "crane": CRANE,
    "dgvae": DGVAE,
    "freedom": FREEDOM,
    "lattice": LATTICE,
    "lgmrec": LGMRec,
    "lightgcn": LightGCN,
    "lpic": LPIC,
    "mmgcn": MMGCN,
    "multivae": MultiVAE,
    "simplex": SimpleX,
    "slmrec": SLMRec,
    "ultragcn": UltraGCN,
    "vbpr": VBPR,
}

__all__ = [
    "BPR",
    "CRANE",
    "DGVAE",
    "FREEDOM",
    "LATTICE",
    "LPIC",
    "MMGCN",
    "MODELS",
    "VBPR",
    "LGMRec",
    "LightGCN",
    "MultiVAE",
    "Recommender",
    "SLMRec",
    "SimpleX",
    "SolvedRecommender",
    "UltraGCN",
]
