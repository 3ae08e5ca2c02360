"""The search for a model's settings, on validation only."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch_geometric.data import HeteroData

from crane_pyg.experiments.combinations import Space, matters, names_in_order
from crane_pyg.experiments.folder import claim_folder, hold_folder
from crane_pyg.experiments.run_files import train_anew_if_damaged
from crane_pyg.experiments.settings import (
    check_settings,
    complete_settings,
    construct_model,
    split_settings,
)
from crane_pyg.experiments.spaces import SEARCH_SPACES, first_trials
from crane_pyg.experiments.study import new_study, run_trials, seconds_used, write_trial
from crane_pyg.files import write_text
from crane_pyg.training import TRAINING_DEFAULTS, fit
from crane_pyg.training.identity import VERSIONS, fingerprint

if TYPE_CHECKING:
    from optuna import Study, Trial

logger = logging.getLogger(__name__)

TRIALS = "trials"


def search_settings(
    data: HeteroData,
    model: str,
    trials: int | None,
    out: Path,
    *,
    budget: float | None = None,
    space: Space | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Look for the settings with the best validation score; the test split is not looked at.

    Every combination is tried where ``trials`` suffices for that, else those of
    :func:`~crane_pyg.experiments.spaces.first_trials`, and then what Optuna's TPE chooses. A trial
    that falls behind the others is stopped. A search that was killed goes on where it was, up to
    ``trials`` or ``budget`` in total; so does one that is called again with more of them. Where no
    budget cuts a trial short, it tries what an unbroken one does.

    Args:
        data: the graph.
        model: a key of :data:`~crane_pyg.nn.models.MODELS`.
        trials: how many in total, those of earlier calls included; ``None`` for as many as the
            budget allows.
        out: folder for the trials; ends up with ``best.json`` and ``trials.csv``.
        budget: seconds that all trials together may train and validate, those of earlier calls
            included. The trial that runs out of them ends there, with the best score it had.
            (default: no limit)
        space: values by setting, best guesses first. (default: the model's entry of
            :data:`~crane_pyg.experiments.SEARCH_SPACES`)
        settings: the others, as :func:`~crane_pyg.experiments.complete_settings` gives them.
        seed: decides on the search and on every training.
        about: how to name the data.
        device: to train on.
        progress: show how far each trial is, as :func:`~crane_pyg.training.fit` does.

    Returns:
        the best settings, all of them.

    Raises:
        ValueError: if Optuna is missing, an argument is wrong, ``out`` holds another search or
            another process searches there, or no trial could be trained.
    """
    check_limits(trials, budget)
    settings = complete_settings(model) if settings is None else settings
    space = checked_space(model, space, settings)
    fixed = {name: value for name, value in settings.items() if name not in space}
    identity: dict[str, Any] = {"model": model}
    identity["data"] = {**(about or {}), "fingerprint": fingerprint(data)}
    identity |= {"space": space, "settings": fixed, "seed": seed, "versions": VERSIONS}
    limit = math.inf if budget is None else budget
    with hold_folder(out):
        claim_folder(out / "tune.json", identity)
        study = new_study()
        trainer = _Trainer(data, model, fixed, limit, out, seed, device, progress)
        run_trials(study, space, trials, trainer, out / TRIALS, seed, limit, first_trials(space))
        frame = _frame(study, space)
        write_text(out / "trials.csv", frame.to_csv(index=False))
        if not (frame["state"] == "COMPLETE").any():
            raise ValueError(f"no trial could be trained: {'; '.join(sorted(set(frame['error'])))}")
        best = fixed | study.best_params
        seconds = seconds_used(study)
        logger.info("best of %d trials in %.0f s: %.4f", len(frame), seconds, study.best_value)
        write_text(out / "best.json", json.dumps({model: best}, indent=2) + "\n")
    return best


def check_limits(trials: int | None, budget: float | None) -> None:
    """Refuse a search that would not end, or not begin."""
    if trials is None and budget is None:
        raise ValueError("a search needs a number of trials or a budget (got neither)")
    if trials is not None and trials < 1:
        raise ValueError(f"trials must be at least 1 (got {trials})")
    if budget is not None and not budget > 0:
        raise ValueError(f"budget must be positive (got {budget})")


def checked_space(
    model: str, space: Space | None, settings: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """The values to try, without those that ``settings`` leave nothing to say.

    Args:
        model: a key of :data:`~crane_pyg.nn.models.MODELS`.
        space: values by setting. (default: the model's published ones)
        settings: what is given beside; where they name the ranking loss, settings of others go.

    Raises:
        ValueError: if there is nothing to search, or a value is none of the setting's.
    """
    check_settings(model, {})
    if space is None and model not in SEARCH_SPACES:
        raise ValueError(f"no search space of {model} is published: name the values to try")
    space = SEARCH_SPACES[model] if space is None else space
    for name, values in space.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"the values of {name} to try must be a list (got {values!r})")
        for value in values:
            check_settings(model, {name: value})
    given = {} if "ranking" in space else settings
    names = [name for name in names_in_order(space) if matters(name, given)]
    if not names:
        raise ValueError(f"there must be a setting of {model} to search (got none)")
    return {name: list(space[name]) for name in names}


@dataclass
class _Trainer:
    """Trains a trial, from its last epoch where a kill left one; reports every validation."""

    data: HeteroData
    model: str
    settings: Mapping[str, Any]
    budget: float
    out: Path
    seed: int
    device: torch.device | str
    progress: bool

    def __call__(self, trial: "Trial") -> float:
        from optuna import TrialPruned

        settings = {**self.settings, **trial.params}
        loop = split_settings(settings)[1]
        name = hashlib.sha256(json.dumps(trial.params, sort_keys=True).encode()).hexdigest()[:16]
        checkpoint = self.out / "running" / f"{name}.pt"
        of_trial, of_all = trial.user_attrs.get("seconds", 0.0), seconds_used(trial.study)
        start = time.perf_counter()

        def note() -> float:
            seconds = time.perf_counter() - start
            trial.set_user_attr("seconds", of_trial + seconds)
            write_trial(self.out / TRIALS, trial.study.trials[-1])  # for a kill not to lose them
            return seconds

        def report(row: dict[str, float]) -> bool:
            seconds = note()
            score = row.get(loop.get("monitor", TRAINING_DEFAULTS.monitor))
            if score is None:
                return False
            trial.report(score, int(row["epoch"]))
            if trial.should_prune():
                raise TrialPruned
            return of_all + seconds >= self.budget

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
        finally:
            note()
        for attribute in ("best_epoch", "epochs", "seconds_per_epoch"):
            trial.set_user_attr(attribute, getattr(result, attribute))
        checkpoint.unlink()
        return result.best_score


def _frame(study: "Study", space: Space) -> pd.DataFrame:
    columns = ("best_epoch", "epochs", "seconds_per_epoch", "seconds", "error")
    return pd.DataFrame(
        {"trial": trial.number, "state": trial.state.name, "score": trial.value}
        | {name: trial.params.get(name) for name in space}
        | {name: trial.user_attrs.get(name) for name in columns}
        for trial in study.trials
    )
