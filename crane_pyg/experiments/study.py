"""Optuna's side of the search: which settings next, and what became of the last ones."""

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crane_pyg.experiments.run_files import describe_error
from crane_pyg.seals import DamagedFileError, read_record, write_record

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

WARM_UP = 10  # epochs before a trial may be stopped for being worse than the median


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
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP)
    return optuna.create_study(direction="maximize", pruner=pruner)


def run_trials(
    study: "Study",
    space: Mapping[str, Sequence[Any]],
    trials: int,
    train: Callable[["Trial"], float],
    folder: Path,
    seed: int,
) -> None:
    """Train until ``trials`` have ended in total, or every combination has.

    What is tried next depends on the trials that have ended and on nothing else, so that a search
    which is killed and started again tries what an unbroken one does.

    Args:
        study: as :func:`new_study` returns it.
        space: values by setting.
        trials: how many in total, those of earlier starts included.
        train: gives the score of the trial's ``params``; raises ``TrialPruned`` to stop early.
            Any other error but of a file ends the trial, and not the search.
        folder: keeps a file for each trial that has ended. One that is damaged is tried again.
        seed: decides on the search.
    """
    every = []
    if math.prod(map(len, space.values())) <= trials:
        every = [dict(zip(space, chosen)) for chosen in itertools.product(*space.values())]
    for number in itertools.count():
        path = folder / f"{number}.json"
        if (record := _read_trial(path)) is not None:
            _add_trial(study, record)
            continue
        tried = [trial.params for trial in study.trials]
        left = [params for params in every if params not in tried]
        if not path.exists() and (number >= trials or (every and not left)):
            return
        if left:
            study.enqueue_trial(left[0])
        _run_trial(study, space, train, seed)
        _write_trial(path, study.trials[-1], space)


def _read_trial(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path) if path.exists() else None
    except DamagedFileError as error:
        logger.warning("%s: tried again", error)
        return None


def _write_trial(path: Path, trial: "FrozenTrial", space: Mapping[str, Sequence[Any]]) -> None:
    record = {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "space": {name: list(values) for name, values in space.items()},
        "reports": trial.intermediate_values,
        "about": trial.user_attrs,
    }
    write_record(path, record)


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
    space: Mapping[str, Sequence[Any]],
    train: Callable[["Trial"], float],
    seed: int,
) -> None:
    from optuna import TrialPruned
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    own_seed = np.random.SeedSequence([seed, len(study.trials)]).generate_state(1)[0]
    study.sampler = TPESampler(seed=int(own_seed))
    trial = study.ask()
    for name, values in space.items():
        trial.suggest_categorical(name, values)
    try:
        told = study.tell(trial, _score(study, trial, train))
    except TrialPruned:
        told = study.tell(trial, state=TrialState.PRUNED)
    except OSError:
        raise  # the disk's failure, not the trial's
    except Exception as error:
        trial.set_user_attr("error", describe_error(error))
        told = study.tell(trial, state=TrialState.FAIL)
    outcome = told.user_attrs.get("error") or f"{told.state.name.lower()} {told.value}"
    logger.info("trial %d, %s: %s", told.number, told.params, outcome)


def _score(study: "Study", trial: "Trial", train: Callable[["Trial"], float]) -> float:
    """The trial's score; taken from an earlier trial of the same settings, if there is one.

    Training repeats bit for bit.
    """
    for other in study.trials:
        if other.params == trial.params and other.state.name == "COMPLETE":
            for name, value in other.user_attrs.items():
                trial.set_user_attr(name, value)
            return float(other.values[0])
    return train(trial)
