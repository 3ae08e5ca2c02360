"""Training and evaluation, the same for every model."""

from crane_pyg.training.checkpoint import load_model, save_model
from crane_pyg.training.evaluation import PROTOCOLS, evaluate
from crane_pyg.training.loop import FitResult, fit
from crane_pyg.training.recommendation import Recommendations, recommend
from crane_pyg.training.sampling import TripletSampler

__all__ = [
    "PROTOCOLS",
    "FitResult",
    "Recommendations",
    "TripletSampler",
    "evaluate",
    "fit",
    "load_model",
    "recommend",
    "save_model",
]
