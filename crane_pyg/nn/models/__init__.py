"""One paper per file, one contract for all."""

from crane_pyg.nn.models.bm3 import BM3
from crane_pyg.nn.models.bpr import BPR
from crane_pyg.nn.models.crane import CRANE
from crane_pyg.nn.models.dgvae import DGVAE
from crane_pyg.nn.models.freedom import FREEDOM
from crane_pyg.nn.models.lattice import LATTICE
from crane_pyg.nn.models.lgmrec import LGMRec
from crane_pyg.nn.models.lightgcn import LightGCN
from crane_pyg.nn.models.lpic import LPIC
from crane_pyg.nn.models.mgcn import MGCN
from crane_pyg.nn.models.mmgcn import MMGCN
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.models.slmrec import SLMRec
from crane_pyg.nn.models.smore import SMORE
from crane_pyg.nn.models.vbpr import VBPR

MODELS: dict[str, type[Recommender]] = {
    "bm3": BM3,
    "bpr": BPR,
    "crane": CRANE,
    "dgvae": DGVAE,
    "freedom": FREEDOM,
    "lattice": LATTICE,
    "lgmrec": LGMRec,
    "lightgcn": LightGCN,
    "lpic": LPIC,
    "mgcn": MGCN,
    "mmgcn": MMGCN,
    "slmrec": SLMRec,
    "smore": SMORE,
    "vbpr": VBPR,
}

__all__ = [
    "BM3",
    "BPR",
    "CRANE",
    "DGVAE",
    "FREEDOM",
    "LATTICE",
    "LPIC",
    "MGCN",
    "MMGCN",
    "MODELS",
    "SMORE",
    "VBPR",
    "LGMRec",
    "LightGCN",
    "Recommender",
    "SLMRec",
]
