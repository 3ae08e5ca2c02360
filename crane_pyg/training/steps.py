"""How many steps an epoch has, how large they are, and how fast they learn."""

import math
from typing import NamedTuple

import torch


class Steps(NamedTuple):
    """The steps of an epoch, as :func:`plan_steps` has them.

    Attributes:
        batch_size: rows per step.
        growth: how much larger the learning rate is than the one that was given.
        warm_up: over how many steps it grows to that, from the first of the training on.
    """

    batch_size: int
    growth: float
    warm_up: int


MOST_GROWTH = 2.0  # of the learning rate: more cost CRANE 2 to 5% where it was tried


def plan_steps(rows: int, batch_size: int, steps_per_epoch: int | None) -> Steps:
    r"""The steps of an epoch over some rows.

    A step walks the whole graph, whatever its batch: with a batch that stays, epochs cost the
    square of the data. So the batch :math:`b` grows to :math:`b'` where there would be more steps
    than allowed, and the learning rate with it by :math:`\sqrt{b' / b}`, which keeps the noise of
    Adam's steps, `"On the SDEs and Scaling Rules for Adaptive Gradient Algorithms"
    <https://arxiv.org/abs/2205.10287>`_, but no more than :data:`MOST_GROWTH` times. It gets there
    in a line over the first epoch.

    Args:
        rows: interactions, or users of a model that reads their whole histories.
        batch_size: rows per step where these are few.
        steps_per_epoch: the most steps there may be; no limit if ``None``.
    """
    if steps_per_epoch is None or rows <= batch_size * steps_per_epoch:
        return Steps(batch_size, 1.0, 0)
    grown = -(-rows // steps_per_epoch)
    return Steps(grown, min(MOST_GROWTH, math.sqrt(grown / batch_size)), -(-rows // grown))


class WarmUp:
    """Raises the learning rates of an optimiser in a line, to those that it has now.

    Args:
        optimizer: whose rates are set.
        num_steps: after how many steps they are what they were; 0 leaves them alone.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, num_steps: int) -> None:
        self.optimizer = optimizer
        self.num_steps = num_steps
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.done = 0

    def step(self) -> None:
        """To be called before each step of the optimiser."""
        self.done += 1
        if self.done <= self.num_steps:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * self.done / self.num_steps
