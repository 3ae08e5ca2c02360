import pytest

from benchmarks import sweep
from tests.benchmarks.commands import run


def test_a_sweep_records_each_run_once(monkeypatch, tmp_path, capsys):
    path = tmp_path / "new" / "runs.jsonl"
    argv = ["tiny", "--grid", "fusion=concat", "--grid", "epochs=1", "--out", path]
    run(monkeypatch, sweep, *argv, "--grid", "k=3,5")
    rows = sweep.read(path)
    assert [row["settings"] for row in rows] == [
        {"fusion": "concat", "epochs": 1, "k": 3},
        {"fusion": "concat", "epochs": 1, "k": 5},
    ]
    assert {row["split"] for row in rows} == {"val"}
    assert capsys.readouterr().out.count("Recall@20") == 2

    monkeypatch.setattr(sweep, "train", None)
    run(monkeypatch, sweep, *argv, "--grid", "k=5")
    assert sweep.read(path) == rows


def test_settings_reach_the_model_and_the_loop(monkeypatch, tmp_path):
    path = tmp_path / "runs.jsonl"
    run(monkeypatch, sweep, "tiny", "--model", "lightgcn", "--grid", "epochs=2", "--out", path)
    assert sweep.read(path)[0]["epochs"] == 2
    with pytest.raises(ValueError, match="jam"):
        run(monkeypatch, sweep, "tiny", "--grid", "jam=1", "--out", path)
