"""MLflow."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane_pyg.training.trackers.base import Tracker

EXPERIMENT = "crane_pyg"  # where MLFLOW_EXPERIMENT_NAME names none


class MLflowTracker(Tracker):
    """A run of MLflow, at the server or in the store that ``MLFLOW_TRACKING_URI`` names.

    Its names know no ``@``: ``Recall@20`` is ``Recall_at_20`` there.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], folder: Path | None = None) -> None:
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient()
        called = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        known = self.client.get_experiment_by_name(called)
        experiment = self.client.create_experiment(called) if known is None else known.experiment_id
        self.run = self.client.create_run(experiment, run_name=name).info.run_id
        for key, value in settings.items():
            self.client.log_param(self.run, key, value)

    def log(self, numbers: Mapping[str, float], epoch: int) -> None:
        """Send the numbers of an epoch."""
        for name, value in numbers.items():
            self.client.log_metric(self.run, name.replace("@", "_at_"), value, step=epoch)

    def finish(self, scores: Mapping[str, float]) -> None:
        """Send the test's scores."""
        for name, value in scores.items():
            self.client.log_metric(self.run, f"test/{name}".replace("@", "_at_"), value)

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self.client.set_terminated(self.run, "FAILED" if failed else "FINISHED")
