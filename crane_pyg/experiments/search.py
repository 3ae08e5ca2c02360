"""The search for a model's settings, on validation only."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch_geometric.data import HeteroData

from crane_pyg.experiments.folder import claim_folder, hold_folder
from crane_pyg.experiments.run_files import train_anew_if_damaged
from crane_pyg.experiments.settings import (
    check_settings,
    complete_settings,
    construct_model,
    split_settings,
)
from crane_pyg.experiments.spaces import SEARCH_SPACES
from crane_pyg.experiments.study import new_study, run_trials
from crane_pyg.files import write_text
from crane_pyg.training import TRAINING_DEFAULTS, fit
from crane_pyg.training.identity import VERSIONS, fingerprint

if TYPE_CHECKING:
    from optuna import Study, Trial

logger = logging.getLogger(__name__)


def search_settings(
    data: HeteroData,
    model: str,
    trials: int,
    out: Path,
    *,
    space: Mapping[str, Sequence[Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Look for the settings with the best validation score; the test split is not looked at.

    Every combination is tried where ``trials`` suffices for that, else Optuna's TPE chooses. A
    trial that stays below the median of the others is stopped. A search that was killed goes on
    where it was, up to ``trials`` in total, and tries what an unbroken one does; so does one that
    is called again with more of them.

    Args:
        data: the graph.
        model: a key of :data:`~crane_pyg.nn.models.MODELS`.
        trials: how many in total, those of earlier calls included.
        out: folder for the trials; ends up with ``best.json`` and ``trials.csv``.
        space: values by setting. (default: the model's entry of
            :data:`~crane_pyg.experiments.SEARCH_SPACES`)
        settings: the others, as :func:`~crane_pyg.experiments.complete_settings` gives them.
        seed: decides on the search and on every training.
        about: how to name the data.
        device: to train on.
        progress: show a progress bar per trial.

    Returns:
        the best settings, all of them.

    Raises:
        ValueError: if Optuna is missing, an argument is wrong, ``out`` holds another search or
            another process searches there, or no trial could be trained.
    """
    if trials < 1:
        raise ValueError(f"trials must be at least 1 (got {trials})")
    space = _checked_space(model, space)
    fixed = {k: v for k, v in (settings or complete_settings(model)).items() if k not in space}
    identity: dict[str, Any] = {"model": model}
    identity["data"] = {**(about or {}), "fingerprint": fingerprint(data)}
    identity |= {"space": space, "settings": fixed, "seed": seed, "versions": VERSIONS}
    with hold_folder(out):
        claim_folder(out / "tune.json", identity)
        study = new_study()
        trainer = _Trainer(data, model, fixed, out / "running", seed, device, progress)
        run_trials(study, space, trials, trainer, out / "trials", seed)
        frame = _frame(study, space)
        write_text(out / "trials.csv", frame.to_csv(index=False))
        if not (frame["state"] == "COMPLETE").any():
            raise ValueError(f"no trial could be trained: {'; '.join(sorted(set(frame['error'])))}")
        best = fixed | study.best_params
        logger.info("best of %d trials: %.4f", len(frame), study.best_value)
        write_text(out / "best.json", json.dumps({model: best}, indent=2) + "\n")
    return best


def _checked_space(model: str, space: Mapping[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    check_settings(model, {})
    if space is None and model not in SEARCH_SPACES:
        raise ValueError(f"no search space of {model} is published: name the values to try")
    space = SEARCH_SPACES[model] if space is None else space
    if not space:
        raise ValueError(f"there must be a setting of {model} to search (got none)")
    for name, values in space.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"the values of {name} to try must be a list (got {values!r})")
        for value in values:
            check_settings(model, {name: value})
    return {name: list(values) for name, values in space.items()}


@dataclass
class _Trainer:
    """Trains a trial, from its last epoch where a kill left one; reports every validation."""

    data: HeteroData
    model: str
    settings: Mapping[str, Any]
    folder: Path
    seed: int
    device: torch.device | str
    progress: bool

    def __call__(self, trial: "Trial") -> float:
        from optuna import TrialPruned

        settings = {**self.settings, **trial.params}
        loop = split_settings(settings)[1]
        name = hashlib.sha256(json.dumps(trial.params, sort_keys=True).encode()).hexdigest()[:16]
        checkpoint = self.folder / f"{name}.pt"

        def report(row: dict[str, float]) -> None:
            score = row.get(loop.get("monitor", TRAINING_DEFAULTS.monitor))
            if score is not None:
                trial.report(score, int(row["epoch"]))
                if trial.should_prune():
                    raise TrialPruned

        train = partial(
            fit,
            construct_model(self.model, self.data, settings, self.seed),
            self.data,
            **loop,
            seed=self.seed,
            device=self.device,
            checkpoint=checkpoint,
            progress=self.progress,
            callback=report,
        )
        try:
            result = train_anew_if_damaged(checkpoint, train)
        except OSError:
            raise
        except Exception:
            checkpoint.unlink(missing_ok=True)
            raise
        for attribute in ("best_epoch", "epochs", "seconds_per_epoch"):
            trial.set_user_attr(attribute, getattr(result, attribute))
        checkpoint.unlink()
        return result.best_score


def _frame(study: "Study", space: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    columns = ("best_epoch", "epochs", "seconds_per_epoch", "error")
    return pd.DataFrame(
        {"trial": trial.number, "state": trial.state.name, "score": trial.value}
        | {name: trial.params.get(name) for name in space}
        | {name: trial.user_attrs.get(name) for name in columns}
        for trial in study.trials
    )
