"""Services that draw and keep the numbers of trainings, each behind the callback of ``fit``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from crane_pyg.choices import check_choice
from crane_pyg.training.trackers.base import Tracker
from crane_pyg.training.trackers.mlflow import MLflowTracker
from crane_pyg.training.trackers.tensorboard import TensorBoardTracker
from crane_pyg.training.trackers.wandb import WandbTracker

TrackerName = Literal["tensorboard", "wandb", "mlflow"]
TRACKERS: dict[TrackerName, type[Tracker]] = {
    "tensorboard": TensorBoardTracker,
    "wandb": WandbTracker,
    "mlflow": MLflowTracker,
}


def open_tracker(
    tracker: TrackerName, name: str, settings: Mapping[str, Any], folder: Path | None = None
) -> Tracker:
    """Begins a run with a tracker, which is a callback of :func:`~crane_pyg.training.fit`.

    .. code-block:: python

        with open_tracker("tensorboard", "first", {"lr": 1e-3}) as tracker:
            result = fit(model, data, lr=1e-3, callback=tracker)
            tracker.finish(evaluate(model, data, "test"))

    Args:
        tracker: ``'tensorboard'``, ``'wandb'`` or ``'mlflow'``.
        name: what the run is called there.
        settings: what the run depends on, by name.
        folder: where a tracker that writes files puts them. (default: its own place)

    Raises:
        ValueError: if the tracker is none of these, or its package is missing.
    """
    check_choice("tracker", tracker, TrackerName)
    try:
        return TRACKERS[tracker](name, settings, folder)
    except ImportError as error:
        raise ValueError(
            f"--track {tracker} needs a package: pip install 'crane-pyg[{tracker}]' (got: {error})"
        ) from error


__all__ = ["TRACKERS", "Tracker", "TrackerName", "open_tracker"]
