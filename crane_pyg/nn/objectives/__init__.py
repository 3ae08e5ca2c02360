"""The losses that training minimises, computed from a batch's embeddings; a file for each."""

from crane_pyg.nn.objectives.bpr import BPRLoss
from crane_pyg.nn.objectives.contrastive import InfoNCE
from crane_pyg.nn.objectives.cosine_contrastive import CosineContrastive
from crane_pyg.nn.objectives.losses import (
    Reduction,
    bpr_loss,
    info_nce_loss,
    l2_of_batch,
    norm_of_batch,
)
from crane_pyg.nn.objectives.negatives import Compared, Negatives, compare
from crane_pyg.nn.objectives.objective import Objective
from crane_pyg.nn.objectives.ranking import RankingLoss, Similarity, Triplets
from crane_pyg.nn.objectives.ranking_settings import RANKING_LOSSES, RankingName, RankingSettings
from crane_pyg.nn.objectives.regularisers import L2, MeanSquare, Norm, Regularised, Regulariser
from crane_pyg.nn.objectives.softmax import SampledSoftmax

__all__ = [
    "L2",
    "RANKING_LOSSES",
    "BPRLoss",
    "Compared",
    "CosineContrastive",
    "InfoNCE",
    "MeanSquare",
    "Negatives",
    "Norm",
    "Objective",
    "RankingLoss",
    "RankingName",
    "RankingSettings",
    "Reduction",
    "Regularised",
    "Regulariser",
    "SampledSoftmax",
    "Similarity",
    "Triplets",
    "bpr_loss",
    "compare",
    "info_nce_loss",
    "l2_of_batch",
    "norm_of_batch",
]
