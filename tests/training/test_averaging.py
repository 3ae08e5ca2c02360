import copy

import pytest
import torch

from crane_pyg.nn.models import BPR, CRANE, LightGCN
from crane_pyg.training import evaluate, fit, training_settings
from crane_pyg.training.averaging import AveragedWeights
from tests.training.short_runs import assert_same_state, build

RUN = {"epochs": 4, "batch_size": 20, "lr": 0.01, "average_epochs": 1.5, "progress": False}


@pytest.mark.parametrize("horizon", [0.3, 1.0, 2.5, 4.0, 100.0])
def test_recent_steps_count_more_beyond_the_horizon(horizon):
    model = torch.nn.Linear(2, 3)
    average, seen = AveragedWeights(model, horizon), []
    for _ in range(7):
        with torch.no_grad():
            for x in model.parameters():
                x.copy_(torch.randn_like(x))
        seen.append({name: x.detach().clone() for name, x in model.named_parameters()})
        average.update()
    for name in seen[0]:
        expected = torch.zeros_like(seen[0][name])
        for step, values in enumerate(seen, start=1):
            share = 1 / min(step, max(horizon, 1.0))
            expected = (1 - share) * expected + share * values[name]
        assert torch.allclose(average.values[name], expected, atol=1e-6)


def test_up_to_the_horizon_it_is_the_mean_and_the_start_has_no_part():
    model = torch.nn.Linear(1, 1, bias=False)
    average = AveragedWeights(model, 5)
    for value in (1.0, 2.0, 6.0):
        model.weight.data.fill_(value)
        average.update()
    assert float(average.values["weight"]) == pytest.approx(3)


def test_applied_exchanges_and_gives_back_also_after_an_error():
    model = torch.nn.Linear(2, 1)
    average = AveragedWeights(model, 3)
    own, parameter = model.weight.detach().clone(), model.weight
    average.values["weight"].fill_(7)
    with average.applied():
        assert model.weight is parameter
        assert (model.weight == 7).all()
    assert torch.equal(model.weight, own)

    def stop():
        with average.applied():
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert torch.equal(model.weight, own)
    assert (average.values["weight"] == 7).all()


def test_fit_validates_and_keeps_the_averages(checkerboard, monkeypatch):
    seen = []
    update = AveragedWeights.update

    def recorded(self, *args):
        update(self, *args)
        seen.append(copy.deepcopy(self.values))

    monkeypatch.setattr(AveragedWeights, "update", recorded)
    model = build(checkerboard, BPR)
    result = fit(model, checkerboard, **RUN)
    per_epoch = len(seen) // RUN["epochs"]
    best = seen[result.best_epoch * per_epoch - 1]
    assert all(torch.equal(x, best[name]) for name, x in model.named_parameters())
    again = evaluate(model, checkerboard, "val")[result.monitor]
    assert again == result.best_score == max(row[result.monitor] for row in result.history)


def test_the_last_weights_go_on_training(checkerboard):
    losses = []
    for average in (0.0, 3.0):
        run = RUN | {"average_epochs": average}
        result = fit(build(checkerboard, LightGCN), checkerboard, **run)
        losses.append([row["loss"] for row in result.history])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("model_class", [LightGCN, CRANE])
def test_a_killed_run_goes_on_with_its_averages(checkerboard, tmp_path, model_class):
    whole, part = build(checkerboard, model_class), build(checkerboard, model_class)
    fit(whole, checkerboard, **RUN)
    path = tmp_path / "state.pt"
    fit(part, checkerboard, **RUN | {"epochs": 2}, checkpoint=path)
    again = build(checkerboard, model_class)
    fit(again, checkerboard, **RUN, checkpoint=path)
    assert_same_state(whole, again)


def test_a_run_without_averages_is_another_run(checkerboard, tmp_path):
    path = tmp_path / "state.pt"
    fit(build(checkerboard, BPR), checkerboard, **RUN, checkpoint=path)
    with pytest.raises(ValueError, match="average_epochs"):
        fit(build(checkerboard, BPR), checkerboard, **RUN | {"average_epochs": 0}, checkpoint=path)


def test_bad_horizons_are_refused(checkerboard):
    for value in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="average_epochs"):
            fit(build(checkerboard, BPR), checkerboard, **RUN | {"average_epochs": value})


def test_crane_averages_and_others_do_not():
    assert training_settings(CRANE).average_epochs > 0
    assert training_settings(BPR).average_epochs == 0
    assert CRANE.presets["bpr"].fit["average_epochs"] == 0
