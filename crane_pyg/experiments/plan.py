"""What a search is about to do, said before it does it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch_geometric.data import HeteroData

from crane_pyg.experiments.combinations import Space, combinations, count_combinations
from crane_pyg.experiments.search import checked_space
from crane_pyg.experiments.settings import complete_settings, construct_model, split_settings
from crane_pyg.nn.models import SolvedRecommender
from crane_pyg.training import TRAINING_DEFAULTS, fit


@dataclass(frozen=True)
class SearchPlan:
    """What a search has before it, and how long its trials may take.

    Attributes:
        model: the name of the model.
        space: values by setting; the first trial takes the first of each.
        settings: the others that were given.
        seconds: what an epoch and its validation took, with the first trial's settings.
        epochs: the fewest and the most epochs of a trial that is not pruned.
    """

    model: str
    space: Space
    settings: Mapping[str, Any]
    seconds: float
    epochs: tuple[int, int]

    def describe(self, trials: int | None = None, budget: float | None = None) -> str:
        """Returns lines for a person: the settings, and how far the trials or the budget go.

        Args:
            trials: how many at most. (default: no limit)
            budget: seconds of training at most. (default: no limit)
        """
        count = count_combinations(self.space)
        low, high = (epochs * self.seconds for epochs in self.epochs)
        lines = [
            f"{self.model}, {count} combinations; the first trial takes the first of each:",
            *(f"  {name}: {', '.join(map(str, values))}" for name, values in self.space.items()),
            f"with {', '.join(f'{name} {value}' for name, value in self.settings.items())}",
            f"an epoch and its validation took {self.seconds:.2f} s; a trial that is not pruned "
            f"has {_span(*self.epochs)} epochs: {_span(round(low), round(high))} s",
        ]
        if trials is not None:
            todo = min(trials, count)
            lines.append(f"{todo} trials, {_span(round(todo * low), round(todo * high))} s at most")
        if budget is not None:
            most, fewest = (min(count, int(budget / max(x, 1e-9))) for x in (low, high))
            lines.append(f"{budget:g} s of training: {_span(fewest, most)} of them, more if pruned")
        lines.append("fewer trials or epochs, a budget or less patience make it shorter")
        return "\n".join(lines)


def plan_search(
    data: HeteroData,
    model: str,
    *,
    space: Space | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> SearchPlan:
    """What :func:`~crane_pyg.experiments.search_settings` would do; trains one epoch to time it.

    Args:
        data, model, space, settings, seed, device: as
            :func:`~crane_pyg.experiments.search_settings` takes them.

    Raises:
        ValueError: if an argument is wrong, or the first trial cannot be trained.
    """
    settings = complete_settings(model) if settings is None else settings
    space = checked_space(model, space, settings)
    fixed = {name: value for name, value in settings.items() if name not in space}
    first = fixed | next(combinations(space))
    loop = TRAINING_DEFAULTS._asdict() | split_settings(first)[1]
    start = time.perf_counter()
    built = construct_model(model, data, first, seed)
    fit(built, data, **loop | {"epochs": 1}, seed=seed, device=device, progress=False)
    seconds = time.perf_counter() - start
    most = loop["epochs"]
    if isinstance(built, SolvedRecommender):
        most = min(most, built.passes or most)
    fewest = min(most, loop["eval_every"] * (loop["patience"] + 1))
    return SearchPlan(model, space, fixed, seconds, (fewest, most))


def _span(low: int, high: int) -> str:
    return f"{low} to {high}" if low < high else f"{high}"
