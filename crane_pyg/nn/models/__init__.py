"""One paper per file, one contract for all."""

from crane_pyg.nn.models.bm3 import BM3
from crane_pyg.nn.models.bpr import BPR
from crane_pyg.nn.models.crane import CRANE
from crane_pyg.nn.models.dgvae import DGVAE
from crane_pyg.nn.models.ease import EASE
from crane_pyg.nn.models.ease_local import LocalEASE
from crane_pyg.nn.models.freedom import FREEDOM
from crane_pyg.nn.models.ials import IALS
from crane_pyg.nn.models.itemknn import ItemKNN
from crane_pyg.nn.models.lattice import LATTICE
from crane_pyg.nn.models.lgmrec import LGMRec
from crane_pyg.nn.models.lightgcn import LightGCN
from crane_pyg.nn.models.lpic import LPIC
from crane_pyg.nn.models.mgcn import MGCN
from crane_pyg.nn.models.mmgcn import MMGCN
from crane_pyg.nn.models.multivae import MultiVAE
from crane_pyg.nn.models.popularity import Popularity
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.models.simplex import SimpleX
from crane_pyg.nn.models.slmrec import SLMRec
from crane_pyg.nn.models.smore import SMORE
from crane_pyg.nn.models.solved import LinearRecommender, SolvedRecommender
from crane_pyg.nn.models.ultragcn import UltraGCN
from crane_pyg.nn.models.vbpr import VBPR

MODELS: dict[str, type[Recommender]] = {
    "bm3": BM3,
    "bpr": BPR,
    "crane": CRANE,
    "dgvae": DGVAE,
    "ease": EASE,
    "ease-local": LocalEASE,
    "freedom": FREEDOM,
    "ials": IALS,
    "itemknn": ItemKNN,
    "lattice": LATTICE,
    "lgmrec": LGMRec,
    "lightgcn": LightGCN,
    "lpic": LPIC,
    "mgcn": MGCN,
    "mmgcn": MMGCN,
    "multivae": MultiVAE,
    "popularity": Popularity,
    "simplex": SimpleX,
    "slmrec": SLMRec,
    "smore": SMORE,
    "ultragcn": UltraGCN,
    "vbpr": VBPR,
}

__all__ = [
    "BM3",
    "BPR",
    "CRANE",
    "DGVAE",
    "EASE",
    "FREEDOM",
    "IALS",
    "LATTICE",
    "LPIC",
    "MGCN",
    "MMGCN",
    "MODELS",
    "SMORE",
    "VBPR",
    "ItemKNN",
    "LGMRec",
    "LightGCN",
    "LinearRecommender",
    "LocalEASE",
    "MultiVAE",
    "Popularity",
    "Recommender",
    "SLMRec",
    "SimpleX",
    "SolvedRecommender",
    "UltraGCN",
]
