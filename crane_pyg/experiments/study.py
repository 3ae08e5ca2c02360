"""Optuna's side of the search: which settings next, and what became of the last ones."""

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

WARM_UP = 10  # epochs before a trial may be stopped for being worse than the median


def open_study(path: Path, seed: int) -> "Study":
    """The study in a SQLite file, new or as an earlier start left it."""
    try:
        import optuna
    except ImportError as error:
        raise ValueError("tune needs Optuna: pip install 'crane-pyg[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    from sqlalchemy.exc import DatabaseError

    try:
        study = optuna.create_study(
            study_name="tune",
            storage=f"sqlite:///{path}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP),
            load_if_exists=True,
        )
    except (DatabaseError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(
            f"'{path}' must be a study's database; remove it to search anew (got: {reason})"
        ) from error
    # The number of trials counts too: else a resumed search would draw what it drew before.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.RUNNING:  # killed: failed, and first in line
            study.enqueue_trial(trial.system_attrs.get("fixed_params", {}) | trial.params)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def run_trials(
    study: "Study",
    space: Mapping[str, Sequence[Any]],
    trials: int,
    train: Callable[["Trial"], float],
) -> None:
    """Train until ``trials`` have ended in total, or every combination has.

    Args:
        study: as :func:`open_study` returns it.
        space: values by setting.
        trials: how many in total.
        train: gives the score of the trial's ``params``; raises ``TrialPruned`` or ``ValueError``.
    """
    from optuna import TrialPruned
    from optuna.trial import TrialState

    todo = trials - len(ended_trials(study))
    if math.prod(map(len, space.values())) <= trials:
        for chosen in itertools.product(*space.values()):
            study.enqueue_trial(dict(zip(space, chosen, strict=True)), skip_if_exists=True)
        todo = min(todo, len(study.get_trials(states=(TrialState.WAITING,))))
    for _ in range(todo):
        trial = study.ask()
        for name, values in space.items():
            trial.suggest_categorical(name, values)
        try:
            told = study.tell(trial, _score(study, trial, train))
        except TrialPruned:
            told = study.tell(trial, state=TrialState.PRUNED)
        except ValueError as error:
            trial.set_user_attr("error", str(error))
            told = study.tell(trial, state=TrialState.FAIL)
        outcome = told.user_attrs.get("error") or f"{told.state.name.lower()} {told.value}"
        logger.info("trial %d, %s: %s", told.number, told.params, outcome)


def _score(study: "Study", trial: "Trial", train: Callable[["Trial"], float]) -> float:
    """The trial's score; taken from an earlier trial of the same settings, if there is one.

    Training repeats bit for bit.
    """
    for other in ended_trials(study):
        if other.params == trial.params and other.state.name == "COMPLETE":
            for name, value in other.user_attrs.items():
                trial.set_user_attr(name, value)
            return float(other.values[0])
    return train(trial)


def ended_trials(study: "Study") -> list["FrozenTrial"]:
    """The trials that were not killed: each ended in a score, an early stop or an error."""
    ends = ("COMPLETE", "PRUNED")
    return [t for t in study.trials if t.state.name in ends or "error" in t.user_attrs]
