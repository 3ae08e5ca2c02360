"""Optuna's side of the search: which settings next, and what became of the last ones."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crane_pyg.experiments.combinations import (
    Space,
    combinations,
    count_combinations,
    matters,
    names_in_order,
)

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

# A trial is stopped where its best score up to an epoch is in the lowest third of what those that
# ended had there. Not below the median, and not at once: what learns slowly may end well.
WARM_UP = 4  # the first epoch after which this may happen
FEWEST = 3  # trials that end by themselves first


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
            pruner=optuna.pruners.PercentilePruner(200 / 3, FEWEST, WARM_UP),
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
    space: Space,
    trials: int | None,
    train: Callable[["Trial"], float],
    budget: float = math.inf,
    first: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Train until ``trials`` have ended in total or took ``budget``, or every combination is tried.

    Args:
        study: as :func:`open_study` returns it.
        space: values by setting.
        trials: how many in total; ``None`` for no limit but the budget.
        train: gives the score of the trial's ``params``; raises ``TrialPruned`` or ``ValueError``.
            Notes on the trial the ``seconds`` that it took.
        budget: seconds in total. (default: no limit)
        first: what is tried first, where not every combination is.
    """
    from optuna import TrialPruned
    from optuna.trial import TrialState

    todo = math.inf if trials is None else trials - len(ended_trials(study))
    if trials is not None and count_combinations(space) <= trials:
        for chosen in combinations(space):
            study.enqueue_trial(chosen, skip_if_exists=True)
        todo = min(todo, len(study.get_trials(states=(TrialState.WAITING,))))
    elif not study.trials:
        for start in first:
            study.enqueue_trial(dict(start))
    while todo > 0 and seconds_used(study) < budget:
        todo -= 1
        trial = study.ask()
        for name in names_in_order(space):
            if matters(name, trial.params):
                trial.suggest_categorical(name, space[name])
        try:
            told = study.tell(trial, _score(study, trial, train))
        except TrialPruned:
            told = study.tell(trial, state=TrialState.PRUNED)
        except ValueError as error:
            trial.set_user_attr("error", str(error))
            told = study.tell(trial, state=TrialState.FAIL)
        outcome = told.user_attrs.get("error") or f"{told.state.name.lower()} {told.value}"
        logger.info("trial %d, %s: %s", told.number, told.params, outcome)
        if trials is None and "seconds" not in told.user_attrs:  # it was there before, and is free
            untried = _untried(study, space)
            if untried is None:
                break
            study.enqueue_trial(untried)


def _score(study: "Study", trial: "Trial", train: Callable[["Trial"], float]) -> float:
    """The trial's score; taken from an earlier trial of the same settings, if there is one.

    Training repeats bit for bit, and what fell behind others once would do so again.
    """
    from optuna import TrialPruned

    for other in ended_trials(study):
        if other.params == trial.params and other.state.name == "PRUNED":
            raise TrialPruned
        if other.params == trial.params and other.state.name == "COMPLETE":
            for name, value in other.user_attrs.items():
                if name != "seconds":
                    trial.set_user_attr(name, value)
            return float(other.values[0])
    return train(trial)


def _untried(study: "Study", space: Space) -> dict[str, Any] | None:
    tried = [trial.params for trial in ended_trials(study)]
    return next((chosen for chosen in combinations(space) if chosen not in tried), None)


def seconds_used(study: "Study") -> float:
    """What all trials together took, those that were killed included."""
    return float(sum(trial.user_attrs.get("seconds", 0.0) for trial in study.trials))


def ended_trials(study: "Study") -> list["FrozenTrial"]:
    """The trials that were not killed: each ended in a score, an early stop or an error."""
    ends = ("COMPLETE", "PRUNED")
    return [t for t in study.trials if t.state.name in ends or "error" in t.user_attrs]
