"""Training and evaluation, the same for every model."""

from crane_pyg.training.checkpoint import load_model, save_model
from crane_pyg.training.evaluate import PROTOCOLS, evaluate
from crane_pyg.training.fit import FitResult, fit
from crane_pyg.training.sampling import TripletSampler

__all__ = [
    "PROTOCOLS",
    "FitResult",
    "TripletSampler",
    "evaluate",
    "fit",
    "load_model",
    "save_model",
]
