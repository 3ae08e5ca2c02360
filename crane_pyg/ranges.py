"""What numbers a setting may have, told by its name, which means the same in every model."""

import inspect
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Numbers that a setting may have.

    Args:
        least (float): The least one.
        most (float): The greatest one; infinity is in no range.
        above (bool): Whether :obj:`least` itself is too little. (default: :obj:`False`)
        below (bool): Whether :obj:`most` itself is too much. (default: :obj:`False`)
    """

    least: float
    most: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is one of these; NaN and infinity never are."""
        low = value > self.least if self.above else value >= self.least
        high = value < self.most if self.below else value <= self.most
        return math.isfinite(value) and low and high

    def __str__(self) -> str:
        least = f"{'above' if self.above else 'at least'} {self.least:g}"
        if self.most == math.inf:
            return f"a finite number {least}"
        return f"{least} and {'below' if self.below else 'at most'} {self.most:,g}"


# By what the whole name is; the first that fits. Counts end where a small machine does.
_COUNTS = {
    r".*_dim": Range(1, 100_000),
    r"(.*_)?layers": Range(0, 100),
    r"(.*_)?max_negatives": Range(1, 10**9),
    r"num_.*|k|epochs|batch_size|steps_per_epoch|eval_users|patience|eval_every": Range(1, 10**9),
    r".*": Range(0, 10**9),
}
_AMOUNTS = {
    r"lr|(.*_)?temperature": Range(0, above=True),
    r"dropout|drop_ratio": Range(0, 1, below=True),
    r"skip|.*_share|text_weight": Range(0, 1),
    r".*margin": Range(-1, 1),
    r".*": Range(0),
}


def check_range(name: str, value: object, what: str | None = None) -> None:
    """Refuse a number that no setting of this name can have; what is no number passes.

    Args:
        name (str): The setting.
        value: What was given.
        what (str, optional): What to call the setting in the message. (default: its name)

    Raises:
        ValueError: if the number is out of range, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    kinds = _COUNTS if isinstance(value, int) and not _is_amount(name) else _AMOUNTS
    allowed = next(kind for pattern, kind in kinds.items() if re.fullmatch(pattern, name))
    if not allowed.holds(value):
        raise ValueError(f"{what or name} must be {allowed} (got {value!r})")


def _is_amount(name: str) -> bool:
    """Whether a whole number stands for an amount, as in ``lr=1``, by a pattern of its own."""
    return any(re.fullmatch(pattern, name) for pattern in list(_AMOUNTS)[:-1])


def check_arguments(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Refuse numbers among the arguments of a call that no setting of their name can have.

    Raises:
        ValueError: see :func:`check_range`.
    """
    try:
        given = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except TypeError:  # the call itself will say what is wrong
        return
    for name, value in given.items():
        check_range(name, value)
