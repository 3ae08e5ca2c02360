"""Training and evaluation, the same for every model."""

from crane_pyg.training.by_degree import evaluate_by_degree
from crane_pyg.training.callbacks import Callback, call_each
from crane_pyg.training.defaults import TRAINING_DEFAULTS, TrainingSettings, training_settings
from crane_pyg.training.epoch import build_optimizer, train_epoch
from crane_pyg.training.evaluation import evaluate, evaluate_scorers
from crane_pyg.training.loop import fit
from crane_pyg.training.metrics import DEFAULT_METRICS, Metric
from crane_pyg.training.recommend import Recommendations, recommend
from crane_pyg.training.result import FitResult
from crane_pyg.training.sampling import TripletSampler
from crane_pyg.training.saved_model import load_model, save_model
from crane_pyg.training.trackers import Tracker, open_tracker

__all__ = [
    "DEFAULT_METRICS",
    "TRAINING_DEFAULTS",
    "Callback",
    "FitResult",
    "Metric",
    "Recommendations",
    "Tracker",
    "TrainingSettings",
    "TripletSampler",
    "build_optimizer",
    "call_each",
    "evaluate",
    "evaluate_by_degree",
    "evaluate_scorers",
    "fit",
    "load_model",
    "open_tracker",
    "recommend",
    "save_model",
    "train_epoch",
    "training_settings",
]
