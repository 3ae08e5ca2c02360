import json

import pandas as pd
import pytest

from crane_pyg.cli import main
from crane_pyg.training import TRAINING_DEFAULTS, loop

SHORT = ["--epochs", "1", "--device", "cpu"]


def tune(*argv):
    main(["tune", "tiny", *map(str, argv), *SHORT])


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.json"
    path.write_text('{"num_layers": [1, 2], "l2": [0.01, 0.001]}')
    return path


def test_it_ends_with_the_best_settings(capsys, tmp_path, space, monkeypatch):
    def evaluate(model, data, split="val", **kwargs):
        assert split == "val"
        return validate(model, data, split, **kwargs)

    validate = loop.evaluate
    monkeypatch.setattr(loop, "evaluate", evaluate)
    out = tmp_path / "out"
    argv = ["--model", "lightgcn", "--space", space, "--out", out]
    tune(*argv, "--trials", 2)
    best = json.loads(capsys.readouterr().out)
    assert {path.name for path in out.iterdir()} == {
        *("best.json", "running", "trials", "trials.csv", "tune.json")
    }
    assert json.loads((out / "best.json").read_text()) == best
    assert set(best["lightgcn"]) == {*TRAINING_DEFAULTS._fields, "num_layers", "l2"}
    assert len(pd.read_csv(out / "trials.csv")) == 2

    tune(*argv, "--trials", 3)
    table = pd.read_csv(out / "trials.csv")
    assert len(table) == 3
    monkeypatch.undo()
    file = ["--settings", str(out / "best.json"), "--device", "cpu"]
    main(["train", "tiny", "--model", "lightgcn", *file, "--json"])
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert trained["val"]["Recall@20"] == table["score"].max()
    main(["compare", "tiny", "--models", "lightgcn", "--seeds", "0", *file, "--out", str(out)])
    assert json.loads((out / "runs.jsonl").read_text())["test"] == trained["test"]


def test_what_is_given_is_not_searched(capsys, tmp_path):
    argv = ["--model", "lightgcn", "--set", "num_layers=1", "--lr", "0.01", "--trials", 1]
    tune(*argv, "--out", tmp_path)
    best = json.loads(capsys.readouterr().out)["lightgcn"]
    assert (best["num_layers"], best["lr"]) == (1, 0.01)
    space = json.loads((tmp_path / "tune.json").read_text())["space"]
    assert list(space) == ["ranking", "ranking_temperature", "l2"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(capsys, tmp_path, space):
    argv = ["--model", "lightgcn", "--space", space, "--out", tmp_path / "out", "--dry-run"]
    tune(*argv, "--budget", 900)
    said = capsys.readouterr().out
    assert said.startswith("lightgcn, 4 combinations; the first trial takes the first of each:\n")
    assert "900 s of training: 4 of them" in said
    assert not (tmp_path / "out").exists()


def test_a_budget_takes_the_place_of_a_number_of_trials(capsys, tmp_path, space):
    out = tmp_path / "out"
    argv = ["--model", "lightgcn", "--space", space, "--out", out]
    tune(*argv, "--budget", 1e-3)
    assert len(pd.read_csv(out / "trials.csv")) == 1
    assert "0.001 s of training: 0 of them" in capsys.readouterr().err
    tune(*argv, "--budget", 1e3, "--trials", 2)
    assert len(pd.read_csv(out / "trials.csv")) == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model", "crane9"], "crane9"),
        (["--trials", "0"], "trials must be at least 1 (got 0)"),
        (["--trials", "some"], "some"),
        (
            ["--model", "mmgcn", "--lr", "0.1", "--set", "ranking=bpr"],
            "there must be a setting of mmgcn to search",
        ),
        (["--budget", "0"], "budget must be positive (got 0.0)"),
        (["--space", "nowhere.json"], "nowhere.json"),
        (["--preset", "mars"], "preset of CRANE must be one of"),
        (["--set", "kk=3"], "(got 'kk')"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_2(capsys, tmp_path, argv, message):
    with pytest.raises(SystemExit) as stop:
        tune(*argv, "--out", tmp_path)
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []
