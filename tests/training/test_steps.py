import itertools
import math

import pytest
import torch

from crane_pyg.nn.models import LightGCN
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import TRAINING_DEFAULTS, fit, training_settings
from crane_pyg.training.steps import (
    LEAST_FALL,
    LEAST_RATE,
    MOST_GROWTH,
    Schedule,
    Steps,
    plan_steps,
)
from tests.training.short_runs import assert_same_state, build

RUN = {"epochs": 3, "batch_size": 20, "steps_per_epoch": 6, "lr": 0.01}


@pytest.mark.parametrize("rows", [1, 1023, 1024, 128 * 1024])
def test_a_small_set_is_left_alone(rows):
    assert plan_steps(rows, 1024, 128) == Steps(1024, 1.0, 0)
    assert plan_steps(1000 * rows, 1024, None) == Steps(1024, 1.0, 0)


@pytest.mark.parametrize(
    ("rows", "steps", "expected"),
    [
        (4096, 2, Steps(2048, math.sqrt(2), 2)),
        (4097, 2, Steps(2049, math.sqrt(2049 / 1024), 2)),
        (2049, 2, Steps(1025, math.sqrt(1025 / 1024), 2)),
        (10**9, 10, Steps(10**8, MOST_GROWTH, 10)),
        (1025, 1, Steps(1025, math.sqrt(1025 / 1024), 1)),
    ],
)
def test_a_large_one_has_so_many_steps(rows, steps, expected):
    assert plan_steps(rows, 1024, steps) == expected


@pytest.mark.parametrize("rows", [7, 100, 101, 12345])
@pytest.mark.parametrize("steps", [1, 3, 64])
def test_never_more_steps_than_allowed(rows, steps):
    plan = plan_steps(rows, 2, steps)
    assert math.ceil(rows / plan.batch_size) <= steps
    if plan.warm_up:
        assert plan.warm_up == math.ceil(rows / plan.batch_size)


def rates_of(num_steps, **schedule):
    """The rates of two groups, 1 and 0.1 at the start, in each of so many steps."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": [weights[0]], "lr": 1.0}, {"params": [weights[1]], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    rates, seen = Schedule(optimizer, **schedule), []
    for _ in range(num_steps):
        rates.step()
        seen.append([group["lr"] for group in optimizer.param_groups])
    return seen


def test_rates_grow_in_a_line():
    expected = [[0.25, 0.025], [0.5, 0.05], [0.75, 0.075], [1.0, 0.1], [1.0, 0.1], [1.0, 0.1]]
    for found, wanted in zip(rates_of(6, warm_up=4, decay=0), expected, strict=True):
        assert found == pytest.approx(wanted)


@pytest.mark.parametrize("decay", [2 * LEAST_FALL, LEAST_FALL, 1])
def test_rates_fall_in_a_line_to_where_they_stay(decay):
    fall = max(decay, LEAST_FALL)
    rates = rates_of(fall + 20, warm_up=0, decay=decay)
    assert rates[0] == [1.0, 0.1]
    assert rates[fall // 2] == pytest.approx([(1 + LEAST_RATE) / 2, (1 + LEAST_RATE) / 20])
    steps = [one[0] - two[0] for one, two in itertools.pairwise(rates[: fall + 1])]
    assert steps == pytest.approx([(1 - LEAST_RATE) / fall] * fall)
    for rate in rates[fall:]:
        assert rate == pytest.approx([LEAST_RATE, LEAST_RATE / 10])


def test_rates_that_grow_first_fall_all_the_while():
    plain = rates_of(40, warm_up=0, decay=LEAST_FALL)
    grown = rates_of(40, warm_up=8, decay=LEAST_FALL)
    for step, (one, other) in enumerate(zip(plain, grown, strict=True), 1):
        assert other == pytest.approx([min(1, step / 8) * rate for rate in one])


def test_who_gives_a_batch_gets_it():
    assert training_settings(LightGCN, batch_size=7).steps_per_epoch is None
    assert training_settings(LightGCN, batch_size=7, steps_per_epoch=3).steps_per_epoch == 3
    assert training_settings(LightGCN).steps_per_epoch == TRAINING_DEFAULTS.steps_per_epoch
    assert training_settings(LightGCN, steps_per_epoch=3).batch_size == 1024


def test_fit_takes_as_many_steps_and_warms_up(checkerboard, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def recorded(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    fit(build(checkerboard, LightGCN), checkerboard, **RUN, progress=False)
    rows = checkerboard[USER_TO_ITEM].num_edges
    plan = plan_steps(rows, 20, 6)
    per_epoch = math.ceil(rows / plan.batch_size)
    assert plan.batch_size > 20
    assert len(rates) == 3 * per_epoch
    top = 0.01 * math.sqrt(plan.batch_size / 20)
    grown = [top * (step + 1) / per_epoch for step in range(per_epoch)]
    assert rates == pytest.approx(grown + [top] * (2 * per_epoch))


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_a_run_that_stopped_goes_on_with_the_same_rates(checkerboard, tmp_path, epochs, decay):
    run = {**RUN, "decay_epochs": decay}
    unbroken = build(checkerboard, LightGCN)
    fit(unbroken, checkerboard, **run, progress=False)
    args = {**run, "progress": False, "checkpoint": tmp_path / "checkpoint.pt"}
    fit(build(checkerboard, LightGCN), checkerboard, **{**args, "epochs": epochs})
    resumed = build(checkerboard, LightGCN)
    fit(resumed, checkerboard, **args)
    assert_same_state(resumed, unbroken)
