from collections.abc import Callable, Sequence

from torch import Tensor

Scorer = Callable[[Tensor], Tensor]
"""From users ``[B]`` to their scores of the catalogue ``[B, N]``, the caller's to overwrite."""

Quality = Callable[[Sequence[Scorer]], list[float]]
"""The validation score of each of several ways to score, which rank the same users in one pass."""
