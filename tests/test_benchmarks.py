"""The benchmark commands run, add up, and do not train twice."""

import json
import sys

import pytest

from benchmarks import defaults, sweep


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setitem(sweep.FIT, "epochs", 1)


def run(monkeypatch, module, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


def test_a_sweep_records_each_run_once(monkeypatch, tmp_path, capsys):
    path = tmp_path / "new" / "runs.jsonl"
    run(monkeypatch, sweep, "tiny", "--grid", "k=3,5", "--grid", "fusion=concat", "--out", path)
    rows = sweep.read(path)
    assert [row["settings"] for row in rows] == [
        {"k": 3, "fusion": "concat"},
        {"k": 5, "fusion": "concat"},
    ]
    assert {row["split"] for row in rows} == {"val"}
    assert capsys.readouterr().out.count("Recall@20") == 2

    monkeypatch.setattr(sweep, "train", None)
    run(monkeypatch, sweep, "tiny", "--grid", "k=5", "--grid", "fusion=concat", "--out", path)
    assert sweep.read(path) == rows


def test_settings_reach_the_model_and_the_loop(monkeypatch, tmp_path):
    path = tmp_path / "runs.jsonl"
    run(monkeypatch, sweep, "tiny", "--model", "lightgcn", "--grid", "epochs=2", "--out", path)
    assert sweep.read(path)[0]["epochs"] == 2
    with pytest.raises(TypeError, match="jam"):
        run(monkeypatch, sweep, "tiny", "--grid", "jam=1", "--out", path)


def test_the_table_of_the_defaults(monkeypatch, tmp_path):
    path = tmp_path / "defaults.jsonl"
    run(monkeypatch, defaults, "tiny", "--seeds", 0, 1, "--out", path)
    rows = sweep.read(path)
    names = list(defaults.variants("tiny"))
    assert len(rows) == 2 * len(names)
    assert {row["split"] for row in rows} == {"test"}

    table = path.with_suffix(".md").read_text().splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table[2:]] == names
    lightgcn = [row["scores"]["Recall@20"] for row in rows if row["model"] == "lightgcn"]
    mean = sum(lightgcn) / 2
    assert f"{mean:.4f} ± " in table[2]
    assert json.loads(path.read_text().splitlines()[0])["seed"] == 0
