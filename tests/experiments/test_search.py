import json
import sys
from functools import partial

import pandas as pd
import pytest
from optuna.trial import Trial

from crane_pyg.experiments import (
    SEARCH_SPACES,
    complete_settings,
    construct_model,
    search_settings,
    split_settings,
)
from crane_pyg.nn.models import LightGCN
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.seals import read_record
from crane_pyg.training import fit, loop

SHORT = complete_settings("lightgcn", {"epochs": 1, "batch_size": 64})
SPACE = {"num_layers": [1, 2], "l2": [1e-2, 1e-4]}


def states(folder):
    paths = sorted((folder / "trials").iterdir(), key=lambda path: int(path.stem))
    return [read_record(path)["state"] for path in paths]


@pytest.fixture
def board(checkerboard):
    """Without its test split, so that reading it would fail."""
    del checkerboard[USER_TO_ITEM].test_edge_label_index
    return checkerboard


def test_every_combination_where_the_trials_suffice(board, tmp_path):
    best = search_settings(board, "lightgcn", 9, tmp_path, space=SPACE, settings=SHORT)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert len(table) == 4 == len(table.drop_duplicates(["num_layers", "l2"]))
    top = table.loc[table["score"].idxmax()]
    assert best == SHORT | {"num_layers": top["num_layers"], "l2": top["l2"]}
    assert json.loads((tmp_path / "best.json").read_text()) == {"lightgcn": best}

    model = construct_model("lightgcn", board, best, seed=0)
    assert fit(model, board, **split_settings(best)[1], progress=False).best_score == top["score"]


def test_a_second_call_goes_on_to_more_trials(board, tmp_path, monkeypatch):
    space = SPACE | {"lr": [1e-2, 1e-3, 1e-4]}
    search_settings(board, "lightgcn", 2, tmp_path, space=space, settings=SHORT)
    first = pd.read_csv(tmp_path / "trials.csv")
    search_settings(board, "lightgcn", 5, tmp_path, space=space, settings=SHORT)
    second = pd.read_csv(tmp_path / "trials.csv")
    assert (len(first), len(second)) == (2, 5)
    assert second.iloc[:2].drop(columns="error").equals(first.drop(columns="error"))
    monkeypatch.setattr(LightGCN, "loss", None)
    search_settings(board, "lightgcn", 5, tmp_path, space=space, settings=SHORT)
    assert pd.read_csv(tmp_path / "trials.csv").equals(second)


def test_a_killed_trial_goes_on_from_its_last_epoch(board, tmp_path, monkeypatch):
    settings = SHORT | {"epochs": 3}
    start_epoch, epochs = LightGCN.start_epoch, []

    def killed(model, data):
        epochs.append(model.num_layers)
        if len(epochs) == 5:
            raise KeyboardInterrupt
        return start_epoch(model, data)

    monkeypatch.setattr(LightGCN, "start_epoch", killed)
    space = {"num_layers": [1, 2, 3]}
    with pytest.raises(KeyboardInterrupt):
        search_settings(board, "lightgcn", 3, tmp_path, space=space, settings=settings)
    assert states(tmp_path) == ["COMPLETE", "RUNNING"]
    best = search_settings(board, "lightgcn", 3, tmp_path, space=space, settings=settings)
    assert states(tmp_path) == ["COMPLETE"] * 3
    assert sorted(epochs) == [1] * 3 + [2] * 4 + [3] * 3
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 3
    assert list((tmp_path / "running").iterdir()) == []
    again = search_settings(board, "lightgcn", 3, tmp_path / "2", space=space, settings=settings)
    assert again == best


def test_a_trial_killed_as_it_was_to_be_stopped_is_stopped(board, tmp_path, monkeypatch):
    space = {"l2": [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-9]}
    settings = SHORT | {"epochs": 3}

    def evaluate(model, *args, **kwargs):
        return {"Recall@20": 0.1 if model.objective.regulariser.weight == 1e-9 else 0.5}

    monkeypatch.setattr("crane_pyg.training.loop.evaluate", evaluate)
    monkeypatch.setattr("crane_pyg.experiments.study.WARM_UP", 1)
    search = partial(search_settings, board, "lightgcn", 6, space=space, settings=settings)
    search(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Trial, "should_prune", lambda self: interrupt() if self.number == 5 else 0)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "killed")
    search(tmp_path / "killed")
    whole, again = (pd.read_csv(tmp_path / name / "trials.csv") for name in ("whole", "killed"))
    assert whole["state"].iloc[-1] == "PRUNED"
    columns = ["state", "score", "l2", "best_epoch", "epochs"]
    assert again[columns].equals(whole[columns])


def interrupt():
    raise KeyboardInterrupt


def test_damage_costs_one_training(board, tmp_path, monkeypatch):
    space = {"num_layers": [1, 2, 3]}
    settings = SHORT | {"epochs": 2}
    best = search_settings(board, "lightgcn", 3, tmp_path, space=space, settings=settings)
    table = (tmp_path / "trials.csv").read_text().splitlines()
    (tmp_path / "trials" / "1.json").write_bytes(b"x")
    trained = []
    true = LightGCN.start_epoch
    monkeypatch.setattr(
        LightGCN, "start_epoch", lambda *args: trained.append(args[0].num_layers) or true(*args)
    )
    again = search_settings(board, "lightgcn", 3, tmp_path, space=space, settings=settings)
    assert (again, trained) == (best, [2, 2])
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == len(table) == 4


def test_a_bad_trial_is_stopped_early(board, tmp_path, monkeypatch):
    def evaluate(model, *args, **kwargs):
        return {"Recall@20": 0.1 if model.objective.regulariser.weight == 1e-9 else 0.5}

    monkeypatch.setattr("crane_pyg.training.loop.evaluate", evaluate)
    monkeypatch.setattr("crane_pyg.experiments.study.WARM_UP", 1)
    settings = SHORT | {"epochs": 3}
    space = {"l2": [1.0, 1e-1, 1e-2, 1e-9]}  # none is stopped before three have ended
    search_settings(board, "lightgcn", 4, tmp_path, space=space, settings=settings)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["state"].tolist() == ["COMPLETE"] * 3 + ["PRUNED"]
    assert table["epochs"].iloc[0] == 3


class Clock:
    """Every epoch of LightGCN takes ten seconds, and nothing else takes any."""

    def __init__(self, monkeypatch):
        self.now, self.epochs = 0.0, 0
        start_epoch = LightGCN.start_epoch

        def pass_time(model, data):
            self.now += 10
            self.epochs += 1
            return start_epoch(model, data)

        monkeypatch.setattr(LightGCN, "start_epoch", pass_time)
        monkeypatch.setattr("crane_pyg.experiments.search.time.perf_counter", lambda: self.now)


def test_a_budget_ends_the_search_and_the_trial_that_runs_out_of_it(board, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    search = {"space": SPACE | {"lr": [1e-2, 1e-3]}, "settings": SHORT | {"epochs": 3}}
    search_settings(board, "lightgcn", None, tmp_path, budget=45, **search)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["state"].tolist() == ["COMPLETE"] * 2
    assert table["epochs"].tolist() == [3, 2]
    assert table["seconds"].tolist() == [30, 20]
    assert table[["num_layers", "l2", "lr"]].iloc[0].tolist() == [1, 1e-2, 1e-2]  # the first values
    search_settings(board, "lightgcn", None, tmp_path, budget=50, **search)
    assert clock.epochs == 5
    search_settings(board, "lightgcn", 3, tmp_path, budget=500, **search)
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 3


def test_seconds_of_a_killed_start_count(board, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    evaluate, calls = loop.evaluate, []

    def killed(*args, **kwargs):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(loop, "evaluate", killed)
    search = {"space": SPACE, "settings": SHORT | {"epochs": 9}}
    with pytest.raises(KeyboardInterrupt):
        search_settings(board, "lightgcn", None, tmp_path, budget=60, **search)
    best = search_settings(board, "lightgcn", None, tmp_path, budget=60, **search)
    assert clock.epochs == 6
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["epochs"].tolist() == [5]  # the third epoch of the first start is lost
    assert table["seconds"].tolist() == [60]  # of both starts, each epoch once
    assert best["num_layers"] == 1


def test_a_trial_killed_as_the_budget_ended_keeps_its_score(board, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    search = {"space": SPACE, "settings": SHORT | {"epochs": 9}, "budget": 30}
    with monkeypatch.context() as patch:
        patch.setattr(Trial, "should_prune", lambda self: clock.now == 30 and interrupt())
        with pytest.raises(KeyboardInterrupt):
            search_settings(board, "lightgcn", None, tmp_path, **search)
    search_settings(board, "lightgcn", None, tmp_path, **search)
    assert clock.epochs == 3
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table[["state", "epochs", "seconds"]].values.tolist() == [["COMPLETE", 3, 30]]


def test_a_killed_trial_beyond_the_number_is_left(board, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    search = {"space": SPACE, "settings": SHORT | {"epochs": 2}}
    with monkeypatch.context() as patch:
        patch.setattr(Trial, "should_prune", lambda self: self.number == 1 and interrupt())
        with pytest.raises(KeyboardInterrupt):
            search_settings(board, "lightgcn", 4, tmp_path, **search)
    before = clock.epochs
    search_settings(board, "lightgcn", 1, tmp_path, **search)
    assert (clock.epochs, len(pd.read_csv(tmp_path / "trials.csv"))) == (before, 1)
    search_settings(board, "lightgcn", 4, tmp_path, **search)
    assert pd.read_csv(tmp_path / "trials.csv")["seconds"].tolist() == [20] * 4


def test_a_budget_that_is_too_large_ends_with_the_last_combination(board, tmp_path):
    search_settings(board, "lightgcn", None, tmp_path, budget=1e6, space=SPACE, settings=SHORT)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert len(table.drop_duplicates(["num_layers", "l2"])) == 4
    assert table["seconds"].notna().sum() == 4


def test_settings_of_other_ranking_losses_are_not_searched(board, tmp_path):
    space = {"ranking_temperature": [0.2, 0.3], "ranking": ["bpr", "softmax"]}
    search_settings(board, "lightgcn", 9, tmp_path, space=space, settings=SHORT)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["ranking"].tolist() == ["bpr", "softmax", "softmax"]
    assert table["ranking_temperature"].fillna(0).tolist() == [0, 0.2, 0.3]
    alone = {"space": {"ranking_temperature": [0.2]}, "settings": SHORT | {"ranking": "ccl"}}
    with pytest.raises(ValueError, match="there must be a setting of lightgcn to search"):
        search_settings(board, "lightgcn", 1, tmp_path, **alone)


def test_an_error_counts_as_a_trial_and_stops_no_other(board, tmp_path):
    space = {"lr": [1e-3, 1e30]}
    best = search_settings(board, "lightgcn", 2, tmp_path, space=space, settings=SHORT)
    assert best["lr"] == 1e-3
    table = pd.read_csv(tmp_path / "trials.csv")
    assert sorted(table["state"]) == ["COMPLETE", "FAIL"]
    assert table["error"].dropna().str.startswith("the loss is not finite").all()
    bad = {"lr": space["lr"][1:]}
    with pytest.raises(ValueError, match="no trial could be trained: the loss is not finite"):
        search_settings(board, "lightgcn", 1, tmp_path / "2", space=bad, settings=SHORT)


def test_another_search_in_the_folder_is_refused(board, tmp_path):
    space = {"num_layers": [1]}
    search_settings(board, "lightgcn", 1, tmp_path, space=space, settings=SHORT)
    for change in ({"seed": 1}, {"space": {"num_layers": [2]}}, {"settings": SHORT | {"lr": 1.0}}):
        arguments = {"space": space, "settings": SHORT} | change
        with pytest.raises(ValueError, match="holds other runs.*got, there and now"):
            search_settings(board, "lightgcn", 1, tmp_path, **arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"model": "crane9"}, "model must be one of"),
        ({"trials": 0}, "trials must be at least 1 .got 0"),
        ({"trials": None}, "needs a number of trials or a budget .got neither"),
        ({"budget": 0.0}, "budget must be positive .got 0.0"),
        ({"space": {}}, "there must be a setting of lightgcn to search"),
        ({"space": {"k": [3]}}, "lightgcn has the settings .*got 'k'"),
        ({"space": {"l2": 3}}, "the values of l2 to try must be a list .got 3"),
        ({"space": {"l2": []}}, "the values of l2 to try must be a list"),
        ({"space": {"l2": ["much"]}}, "l2 of lightgcn must be float .got 'much'"),
    ],
)
def test_bad_arguments(board, tmp_path, arguments, match):
    with pytest.raises(ValueError, match=match):
        search_settings(board, **{"model": "lightgcn", "trials": 1, "out": tmp_path} | arguments)


def test_a_model_without_a_published_space_asks_for_one(board, tmp_path, monkeypatch):
    monkeypatch.delitem(SEARCH_SPACES, "lightgcn")
    with pytest.raises(ValueError, match="no search space of lightgcn is published"):
        search_settings(board, "lightgcn", 1, tmp_path)


def test_without_optuna_it_names_the_extra(board, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install 'crane-pyg\[tune\]'"):
        search_settings(board, "lightgcn", 1, tmp_path)
