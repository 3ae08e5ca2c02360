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


MOST_GROWTH = 2.0  # of the learning rate: more cost CRANE up to 6% where it was tried


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


LEAST_RATE = 0.1  # of the learning rate, which it falls to
LEAST_FALL = 512  # steps over which it falls: small sets have few in an epoch


class Schedule:
    """The learning rates of an optimiser, step by step, as shares of those that it has now.

    They rise in a line, then fall in one to :data:`LEAST_RATE` of what they were, where they stay.
    So there is no end to train towards: how long a training lasts is left to validation.

    Args:
        optimizer: whose rates are set.
        warm_up: after how many steps they are what they were; 0 begins with that.
        decay: over how many steps, from the first on, they fall, at least :data:`LEAST_FALL`; 0
            lets them stay.

    Attributes:
        done: how many steps were taken.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, warm_up: int, decay: float) -> None:
        self.optimizer = optimizer
        self.warm_up = warm_up
        self.decay = decay and max(decay, LEAST_FALL)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.done = 0

    def step(self) -> None:
        """To be called before each step of the optimiser."""
        share = self._share(self.done)
        self.done += 1
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def _share(self, before: int) -> float:
        """The share of a step that so many come before."""
        risen = min(1.0, (before + 1) / self.warm_up) if self.warm_up else 1.0
        fallen = min(1.0, before / self.decay) if self.decay else 0.0
        return risen * (1 - fallen * (1 - LEAST_RATE))
