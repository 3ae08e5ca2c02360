"""Weights averaged over the last steps, which validation and the trained model use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class AveragedWeights:
    r"""A moving average of a model's parameters, `"Acceleration of Stochastic Approximation by
    Averaging" <https://doi.org/10.1137/0330046>`_, here with weights that fade.

    .. math::
        \bar{\theta}_t = \bar{\theta}_{t-1} + \max(1 / t, 1 / H) (\theta_t - \bar{\theta}_{t-1})

    Adam's last steps wander about where they lead; their mean lies nearer to it. It is the plain
    mean of the first :math:`H` steps, so that what a model starts from has no part in it.

    Args:
        model: whose parameters are averaged.
        horizon: :math:`H`, in steps.

    Attributes:
        values: the averages by the parameters' names; within :meth:`applied`, what they stand for.
        steps: how many they are taken over.
    """

    def __init__(self, model: torch.nn.Module, horizon: float) -> None:
        self.horizon = horizon
        self.steps = 0
        self._learned = dict(model.named_parameters())
        self.values = {name: x.detach().clone() for name, x in self._learned.items()}

    @torch.no_grad()
    def update(self, *_: object) -> None:
        """To be called after each step of the optimiser, as a hook of its or otherwise."""
        self.steps += 1
        share = max(1 / self.steps, 1 / max(self.horizon, 1))
        for name, x in self._learned.items():
            self.values[name].lerp_(x, share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the averages for parameters."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, x in self._learned.items():
            x.data, self.values[name] = self.values[name], x.data

    def load(self, values: dict[str, Tensor], steps: int) -> None:
        """Go on from averages.

        Args:
            values: by the parameters' names.
            steps: over how many steps they were taken.
        """
        self.steps = steps
        for name, x in self.values.items():
            x.copy_(values[name])
