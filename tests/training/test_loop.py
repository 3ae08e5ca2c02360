import math

import pytest
import torch

from crane_pyg.nn.models import CRANE, LightGCN
from crane_pyg.training import evaluate, fit
from tests.training.short_runs import SHORT, assert_same_state, build


def test_it_learns_and_keeps_the_best_weights(checkerboard):
    model = build(checkerboard, LightGCN)
    result = fit(model, checkerboard, **SHORT | {"epochs": 60, "patience": 20})
    frame = result.to_frame()
    assert frame["bpr"].iloc[-1] < 0.5 * frame["bpr"].iloc[0]
    assert result.best_score == frame["Recall@20"].max()
    assert result.best_epoch == frame["Recall@20"].idxmax()
    assert evaluate(model, checkerboard, "val")["Recall@20"] == result.best_score
    assert not model.training


def test_history_names_every_term_and_can_be_plotted(checkerboard):
    frame = fit(
        build(checkerboard, semantic_profile="sqrt", beta=0.1, l2=0.1),
        checkerboard,
        **SHORT,
        patience=5,
    ).to_frame()
    assert list(frame.index) == [1, 2, 3, 4, 5]
    assert {"loss", "softmax", "contrastive", "l2", "seconds", "Recall@10", "NDCG@20"} <= set(frame)
    assert torch.allclose(
        torch.tensor(frame["loss"].values),
        torch.tensor((frame["softmax"] + frame["contrastive"] + frame["l2"]).values),
    )
    assert frame.isna().sum().sum() == 0
    pytest.importorskip("matplotlib").use("Agg")
    assert len(frame[["loss", "Recall@20"]].plot(subplots=True)) == 2


@pytest.mark.parametrize("model", [CRANE, LightGCN])
def test_two_runs_of_one_seed_are_identical(checkerboard, model):
    first, second = build(checkerboard, model), build(checkerboard, model)
    results = [fit(m, checkerboard, **SHORT, seed=3) for m in (first, second)]
    assert_same_state(first, second)
    histories = [r.to_frame().drop(columns="seconds") for r in results]
    assert histories[0].equals(histories[1])


def test_another_seed_is_another_run(checkerboard):
    first, second = build(checkerboard, LightGCN), build(checkerboard, LightGCN)
    fit(first, checkerboard, **SHORT, seed=3)
    fit(second, checkerboard, **SHORT, seed=4)
    assert not torch.equal(first.user_embedding.weight, second.user_embedding.weight)


def test_early_stopping_counts_evaluations(checkerboard, monkeypatch):
    scores = iter([0.1, 0.3, 0.2, 0.3, 0.1, 0.9])
    monkeypatch.setattr(
        "crane_pyg.training.loop.evaluate", lambda *args, **kwargs: {"Recall@20": next(scores)}
    )
    result = fit(
        build(checkerboard, LightGCN),
        checkerboard,
        **SHORT | {"epochs": 50, "eval_every": 2, "patience": 3},
    )
    assert (result.best_epoch, result.best_score, result.epochs) == (4, 0.3, 10)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"epochs": 0}, "epochs must be at least 1 .*got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1 .*got 0"),
        ({"patience": 0}, "patience must be at least 1 .*got 0"),
        ({"monitor": "AUC"}, "monitor must be one of 'Recall@20', .*got 'AUC'"),
        ({"protocol": "kind"}, "protocol must be one of 'strict', 'mmrec'"),
        ({"lr": float("inf")}, "lr must be a finite number above 0 .got inf"),
        ({"lr": -1.0}, "lr must be a finite number above 0 .got -1.0"),
        ({"lr": 1e30, "epochs": 9}, "the loss is not finite in epoch"),
        ({"lr": 1e30, "epochs": 1, "batch_size": 9999}, "every score must be finite"),
    ],
)
def test_bad_arguments(checkerboard, kwargs, match):
    with pytest.raises(ValueError, match=match):
        fit(build(checkerboard, LightGCN), checkerboard, **SHORT | kwargs)


def test_a_callback_sees_each_row_and_can_end_the_training(checkerboard, tmp_path):
    path, rows = tmp_path / "checkpoint.pt", []

    def callback(row):
        rows.append(row)
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            build(checkerboard, LightGCN),
            checkerboard,
            **SHORT,
            checkpoint=path,
            callback=callback,
        )
    assert len(rows) == 2
    rows = []
    model = build(checkerboard, LightGCN)
    result = fit(model, checkerboard, **SHORT, checkpoint=path, callback=rows.append)
    assert rows == result.history
    assert len(rows) == 5


def test_a_callback_that_returns_true_stops_with_the_best_weights(checkerboard):
    model = build(checkerboard, LightGCN)
    result = fit(model, checkerboard, **SHORT, callback=lambda row: row["epoch"] == 3)
    assert result.epochs == 3
    assert not model.training
    assert evaluate(model, checkerboard, "val")["Recall@20"] == result.best_score


def test_a_callback_that_stopped_a_killed_run_stops_the_resumed_one(checkerboard, tmp_path):
    path, rows = tmp_path / "checkpoint.pt", []

    def callback(row):
        rows.append(row)
        return row["epoch"] == 2

    fit(build(checkerboard, LightGCN), checkerboard, **SHORT | {"epochs": 3}, checkpoint=path)
    resumed = build(checkerboard, LightGCN)
    result = fit(resumed, checkerboard, **SHORT, checkpoint=path, callback=callback)
    assert rows == result.history
    assert len(rows) == 3


@pytest.mark.parametrize("monitor", ["Recall@20", "NDCG@10", "GMean@10"])
def test_what_is_chosen_afterwards_answers_for_recall_and_ndcg(checkerboard, monkeypatch, monitor):
    told = []

    def calibrate(model, data, quality):
        told.extend(quality([model.scorer(data), lambda user: -model.scorer(data)(user)]))
        model.user_embedding.weight.data.neg_()  # the choice, which is the worst
        return 0.7

    monkeypatch.setattr(LightGCN, "calibrate", calibrate)
    model = build(checkerboard, LightGCN)
    result = fit(model, checkerboard, monitor=monitor, **SHORT)
    cut_off = monitor.partition("@")[2]

    def measured() -> dict[str, float]:
        found = evaluate(model, checkerboard)
        both = math.sqrt(found[f"Recall@{cut_off}"] * found[f"NDCG@{cut_off}"])
        return {**found, f"GMean@{cut_off}": both}

    assert result.best_score == measured()[monitor]
    model.user_embedding.weight.data.neg_()
    assert told[0] == pytest.approx(measured()[f"GMean@{cut_off}"])
    assert told[1] != told[0]


def test_the_geometric_mean_of_recall_and_ndcg_chooses_the_epoch(checkerboard):
    model = build(checkerboard, LightGCN)
    result = fit(model, checkerboard, monitor="GMean@10", **SHORT)
    both = [(row["Recall@10"] * row["NDCG@10"]) ** 0.5 for row in result.history]
    assert [row["GMean@10"] for row in result.history] == pytest.approx(both)
    assert result.best_epoch == 1 + both.index(max(both))
    assert result.best_score == pytest.approx(max(both))
