"""Optuna's side of the search: which settings next, and what became of the last ones."""

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crane_pyg.experiments.combinations import (
    Space,
    combinations,
    count_combinations,
    matters,
    names_in_order,
)
from crane_pyg.experiments.run_files import describe_error
from crane_pyg.seals import DamagedFileError, read_record, write_record

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

# A trial is stopped where its best score up to an epoch is in the lowest third of what those that
# ended had there. Not below the median, and not at once: what learns slowly may end well.
WARM_UP = 4  # the first epoch after which this may happen
FEWEST = 3  # trials that end by themselves first


def new_study() -> "Study":
    """A study without trials.

    Raises:
        ValueError: if Optuna is missing.
    """
    try:
        import optuna
    except ImportError as error:
        raise ValueError("tune needs Optuna: pip install 'crane-pyg[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.PercentilePruner(200 / 3, FEWEST, WARM_UP)
    return optuna.create_study(direction="maximize", pruner=pruner)


def run_trials(
    study: "Study",
    space: Space,
    trials: int | None,
    train: Callable[["Trial"], float],
    folder: Path,
    seed: int,
    budget: float = math.inf,
    first: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Train until ``trials`` have ended in total or took ``budget``, or every combination is tried.

    What is tried next depends on the trials that have ended and on nothing else, so that a search
    which is killed and started again tries what an unbroken one does.

    Args:
        study: as :func:`new_study` returns it.
        space: values by setting.
        trials: how many in total, those of earlier starts included; ``None`` for no limit but the
            budget.
        train: gives the score of the trial's ``params``; raises ``TrialPruned`` to stop early.
            Any other error but of a file ends the trial, and not the search. Adds to the trial's
            ``seconds`` what it takes, and may call :func:`write_trial` for a kill not to lose them.
        folder: keeps a file for each trial that was begun. One that is damaged is tried again.
        seed: decides on the search.
        budget: seconds in total, those of earlier starts included. A trial that was killed is
            ended whatever they come to, for ``train`` to see to. (default: no limit)
        first: what is tried first, where not every combination is.
    """
    tries_all = trials is not None and count_combinations(space) <= trials
    for number in itertools.count():
        path = _path(folder, number)
        record = _read_trial(path)
        if record is not None and record["state"] != "RUNNING":
            _add_trial(study, record)
            continue
        is_enough = trials is not None and number >= trials
        tried = [trial.params for trial in study.trials]
        untried = next((chosen for chosen in combinations(space) if chosen not in tried), None)
        chosen: Mapping[str, Any] | None = None
        if record is not None:
            if is_enough:
                return
            chosen = record["params"]
        else:
            is_done = untried is None and (tries_all or trials is None)
            is_over = is_enough or is_done or seconds_used(study) >= budget
            if is_over and not path.exists():
                return
            comes_again = trials is None and bool(tried) and tried[-1] in tried[:-1]
            if tries_all or comes_again:
                chosen = untried
            elif number < len(first):
                chosen = first[number]
        if chosen is not None:
            study.enqueue_trial(dict(chosen))
        _run_trial(study, space, train, folder, seed, record)


def write_trial(folder: Path, trial: "FrozenTrial") -> None:
    """Note how far a trial is: what it was told to try, what it reported and took, how it ended.

    Args:
        folder: where :func:`run_trials` keeps such files.
        trial: the trial.
    """
    from optuna.distributions import CategoricalDistribution

    record = {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "space": {
            name: list(values.choices)
            for name, values in trial.distributions.items()
            if isinstance(values, CategoricalDistribution)
        },
        "reports": trial.intermediate_values,
        "about": trial.user_attrs,
    }
    write_record(_path(folder, trial.number), record)


def seconds_used(study: "Study") -> float:
    """What all trials together took, in every start."""
    return float(sum(trial.user_attrs.get("seconds", 0.0) for trial in study.trials))


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"


def _read_trial(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path) if path.exists() else None
    except DamagedFileError as error:
        logger.warning("%s: tried again", error)
        return None


def _add_trial(study: "Study", record: Mapping[str, Any]) -> None:
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import TrialState, create_trial

    trial = create_trial(
        state=TrialState[record["state"]],
        value=record["value"],
        params=record["params"],
        distributions={
            name: CategoricalDistribution(values) for name, values in record["space"].items()
        },
        intermediate_values={int(step): score for step, score in record["reports"].items()},
        user_attrs=record["about"],
    )
    study.add_trial(trial)


def _run_trial(
    study: "Study",
    space: Space,
    train: Callable[["Trial"], float],
    folder: Path,
    seed: int,
    killed: Mapping[str, Any] | None,
) -> None:
    from optuna import TrialPruned
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    own_seed = np.random.SeedSequence([seed, len(study.trials)]).generate_state(1)[0]
    study.sampler = TPESampler(seed=int(own_seed))
    trial = study.ask()
    for name in names_in_order(space):
        if matters(name, trial.params):
            trial.suggest_categorical(name, space[name])
    if killed is not None:
        trial.set_user_attr("seconds", killed["about"].get("seconds", 0.0))
    try:
        told = study.tell(trial, _score(study, trial, train))
    except TrialPruned:
        told = study.tell(trial, state=TrialState.PRUNED)
    except OSError:
        raise  # the disk's failure, not the trial's
    except Exception as error:
        trial.set_user_attr("error", describe_error(error))
        told = study.tell(trial, state=TrialState.FAIL)
    write_trial(folder, study.trials[-1])
    outcome = told.user_attrs.get("error") or f"{told.state.name.lower()} {told.value}"
    logger.info("trial %d, %s: %s", told.number, told.params, outcome)


def _score(study: "Study", trial: "Trial", train: Callable[["Trial"], float]) -> float:
    """The trial's score; taken from an earlier trial of the same settings, if there is one.

    Training repeats bit for bit, and what fell behind others once would do so again.
    """
    from optuna import TrialPruned

    for other in study.trials:
        if other.params == trial.params and other.state.name == "PRUNED":
            raise TrialPruned
        if other.params == trial.params and other.state.name == "COMPLETE":
            for name, value in other.user_attrs.items():
                if name != "seconds":
                    trial.set_user_attr(name, value)
            return float(other.values[0])
    return train(trial)
