"""The losses that training minimises, computed from a batch's embeddings; a file for each."""

from crane_pyg.nn.objectives.bpr import BPRLoss
from crane_pyg.nn.objectives.contrastive import InfoNCE
from crane_pyg.nn.objectives.losses import (
    Reduction,
    bpr_loss,
    info_nce_loss,
    l2_of_batch,
    norm_of_batch,
)
from crane_pyg.nn.objectives.objective import Objective
from crane_pyg.nn.objectives.ranking import RankingLoss, Similarity, Triplets
from crane_pyg.nn.objectives.regularisers import L2, MeanSquare, Norm, Regularised, Regulariser

__all__ = [
    "L2",
    "BPRLoss",
    "InfoNCE",
    "MeanSquare",
    "Norm",
    "Objective",
    "RankingLoss",
    "Reduction",
    "Regularised",
    "Regulariser",
    "Similarity",
    "Triplets",
    "bpr_loss",
    "info_nce_loss",
    "l2_of_batch",
    "norm_of_batch",
]
