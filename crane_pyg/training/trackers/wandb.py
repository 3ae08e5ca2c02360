"""Weights & Biases."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane_pyg.training.trackers.base import Tracker

PROJECT = "crane_pyg"  # where WANDB_PROJECT names none


class WandbTracker(Tracker):
    """A run of Weights & Biases; ``WANDB_MODE=offline`` and the like are heeded."""

    def __init__(self, name: str, settings: Mapping[str, Any], folder: Path | None = None) -> None:
        import wandb

        project = os.environ.get("WANDB_PROJECT", PROJECT)
        place = None if folder is None else str(folder)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(project=project, name=name, config=dict(settings), dir=place)

    def log(self, numbers: Mapping[str, float], epoch: int) -> None:
        """Send the numbers of an epoch."""
        self.run.log(dict(numbers), step=epoch)

    def finish(self, scores: Mapping[str, float]) -> None:
        """Keep the test's scores in the summary."""
        self.run.summary.update({f"test/{name}": value for name, value in scores.items()})

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self.run.finish(exit_code=int(failed))
