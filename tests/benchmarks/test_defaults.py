import json

from benchmarks import defaults, sweep
from tests.benchmarks.commands import run


def test_the_table_of_the_defaults(monkeypatch, tmp_path):
    path = tmp_path / "defaults.jsonl"
    monkeypatch.setattr(defaults, "FIT", {"epochs": 2, "patience": 2})
    run(monkeypatch, defaults, "tiny", "--seeds", 0, 1, "--out", path)
    rows = sweep.read(path)
    names = list(defaults.variants("tiny"))
    assert len(rows) == 2 * len(names)
    assert {row["split"] for row in rows} == {"test"}

    table = path.with_suffix(".md").read_text().splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ").strip() for line in table[2:]] == names
    lightgcn = [row["scores"]["Recall@20"] for row in rows if row["model"] == "lightgcn"]
    mean = sum(lightgcn) / 2
    assert f"{mean:.4f} ± " in table[2]
    assert json.loads(path.read_text().splitlines()[0])["seed"] == 0
