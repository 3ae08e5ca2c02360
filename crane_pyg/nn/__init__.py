"""What models are composed of: layers, fusions of modalities, item graphs, objectives.

Models themselves are in :mod:`crane_pyg.nn.models`.
"""

from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.content_choice import choose_content
from crane_pyg.nn.content_rows import content_rows
from crane_pyg.nn.content_term import ContentTerm
from crane_pyg.nn.conv import (
    BipartiteConv,
    SemanticConv,
    UserProfile,
    WeightedSumConv,
    item_view_propagation,
    light_gcn_propagation,
    light_gcn_rows,
)
from crane_pyg.nn.encoder import CollaborativeEncoder
from crane_pyg.nn.fusion import (
    ConcatFusion,
    Fusion,
    MeanFusion,
    ProjectedFusion,
    RCAFusion,
    SumFusion,
)
from crane_pyg.nn.graphs import (
    DegreeThinning,
    FrozenItemGraph,
    ItemGraph,
    LatentItemGraph,
    LearnedItemGraph,
    PooledItemGraph,
    RefreshedItemGraph,
)
from crane_pyg.nn.history_fit import HistoryFit
from crane_pyg.nn.objectives import (
    L2,
    BPRLoss,
    CosineContrastive,
    InfoNCE,
    Norm,
    Objective,
    RankingLoss,
    SampledSoftmax,
    bpr_loss,
    info_nce_loss,
)
from crane_pyg.nn.residual import Residual
from crane_pyg.nn.similarity_choice import choose_similarity
from crane_pyg.nn.spectral_start import spectral_start
from crane_pyg.nn.temperature_choice import choose_temperature
from crane_pyg.nn.thinning_choice import choose_thinning

__all__ = [
    "L2",
    "BPRLoss",
    "BipartiteConv",
    "CollaborativeEncoder",
    "ConcatFusion",
    "ContentTerm",
    "CosineContrastive",
    "DegreeThinning",
    "FrozenItemGraph",
    "Fusion",
    "HistoryFit",
    "InfoNCE",
    "ItemGraph",
    "LatentItemGraph",
    "LearnedItemGraph",
    "MeanFusion",
    "Norm",
    "Objective",
    "PooledItemGraph",
    "ProjectedFusion",
    "RCAFusion",
    "RankingLoss",
    "RecursiveCrossModalAttention",
    "RefreshedItemGraph",
    "Residual",
    "SampledSoftmax",
    "SemanticConv",
    "SumFusion",
    "UserProfile",
    "WeightedSumConv",
    "bpr_loss",
    "choose_content",
    "choose_similarity",
    "choose_temperature",
    "choose_thinning",
    "content_rows",
    "info_nce_loss",
    "item_view_propagation",
    "light_gcn_propagation",
    "light_gcn_rows",
    "spectral_start",
]
