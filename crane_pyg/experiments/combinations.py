"""The combinations of the values of a search space, which has a list of values by setting."""

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crane_pyg.nn.objectives import RANKING_LOSSES

Space = Mapping[str, Sequence[Any]]


def matters(name: str, chosen: Mapping[str, Any]) -> bool:
    """Whether a setting says anything beside those chosen.

    A setting of ranking losses is for some of them; the others pass over it.
    """
    if "ranking" not in chosen or not name.startswith("ranking_"):
        return True
    loss = RANKING_LOSSES[chosen["ranking"]]
    return name.removeprefix("ranking_") in inspect.signature(loss).parameters


def names_in_order(space: Space) -> list[str]:
    """The settings of a space, those that decide whether others matter first."""
    return sorted(space, key=lambda name: name != "ranking")


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination once, without what does not matter in it; the first has the first values.

    Args:
        space: values by setting.
    """
    for values in itertools.product(*space.values()):
        chosen = dict(zip(space, values, strict=True))
        idle = [name for name in space if not matters(name, chosen)]
        if all(chosen[name] == space[name][0] for name in idle):
            yield {name: value for name, value in chosen.items() if name not in idle}


def count_combinations(space: Space) -> int:
    """How many combinations there are, without going through them.

    Args:
        space: values by setting.
    """
    rankings = [{"ranking": value} for value in space.get("ranking", ())] or [{}]
    rest = {name: len(values) for name, values in space.items() if name != "ranking"}
    return sum(
        math.prod(count for name, count in rest.items() if matters(name, chosen))
        for chosen in rankings
    )
