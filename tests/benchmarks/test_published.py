import pytest

from benchmarks import published, sweep
from tests.benchmarks.commands import run


@pytest.mark.parametrize("model", ["bpr", "lightgcn"])
def test_a_run_stands_beside_its_published_row(monkeypatch, tmp_path, capsys, model):
    row = ("tiny", model)
    monkeypatch.setitem(published.SETTINGS, row, published.SETTINGS["baby", model] | {"epochs": 1})
    monkeypatch.setitem(published.PUBLISHED, row, (0.1, 0.2, 0.3, 0.4))
    path = tmp_path / "published.jsonl"
    run(monkeypatch, published, "tiny", "--model", model, "--out", path)
    (recorded,) = sweep.read(path)
    assert (recorded["model"], recorded["protocol"], recorded["split"]) == (model, "mmrec", "test")
    ours = recorded["scores"]["NDCG@20"]
    last = f"   NDCG@20  ours {ours:.4f}  published 0.4000  {ours / 0.4 - 1:+.1%}"
    assert last in capsys.readouterr().out.splitlines()
