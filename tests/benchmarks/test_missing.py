import torch

from benchmarks import missing, missing_graph, sweep
from crane_pyg.datasets import SyntheticMultimodal
from tests.benchmarks.commands import run


def test_what_missing_features_cost(monkeypatch, tmp_path):
    path = tmp_path / "missing.jsonl"
    monkeypatch.setattr(missing, "SETTINGS", {"epochs": 1, "fusion": "concat"})
    argv = ["tiny", "--modality", "visual", "--seeds", 0, 1, "--out", path]
    run(monkeypatch, missing, *argv)
    rows = sweep.read(path)
    policies = ["complete", "mask", "mean", "zero"]
    assert [(row["seed"], row["missing"]) for row in rows] == [
        (seed, policy) for seed in (0, 1) for policy in policies
    ]
    table = path.with_suffix(".md").read_text()
    assert table.startswith("# tiny, strict, crane, 30% of the items without visual\n")
    assert [line.split()[1] for line in table.splitlines()[4:]] == policies
    monkeypatch.setattr(sweep, "train", None)
    run(monkeypatch, missing, *argv)
    assert sweep.read(path) == rows


def test_the_graph_of_missing_features(monkeypatch, tmp_path):
    path = tmp_path / "graph.jsonl"
    argv = ["tiny", "--modality", "visual", "textual", "--seeds", 2, "--out", path]
    run(monkeypatch, missing_graph, *argv)
    rows = {row["missing"]: row for row in sweep.read(path)}
    assert list(rows) == ["complete", "mask", "concatenated", "mean", "zero"]
    assert [row["seeds"] for row in rows.values()] == [1, 2, 2, 2, 2]
    assert rows["complete"]["Recall@20"] > rows["mask"]["Recall@20"] > 0.15  # 0.1 by chance
    assert rows["mask"]["Recall@20"] != rows["concatenated"]["Recall@20"]


def test_which_items_lose_their_features_is_drawn_by_the_seed():
    data = SyntheticMultimodal(missing_rate=0.1)[0]
    before = data["item"].visual_mask.clone()
    first, again, other = (missing.drop(data, "visual", 0.5, seed)["item"] for seed in (0, 0, 1))
    assert torch.equal(first.visual_mask, again.visual_mask)
    assert not torch.equal(first.visual_mask, other.visual_mask)
    assert first.visual_mask.sum() == 90  # of 180 that had it
    assert not (first.visual_mask & ~before).any()
    assert torch.equal(first.x_visual.any(dim=1), first.visual_mask)
    assert torch.equal(first.textual_mask, data["item"].textual_mask)
    assert torch.equal(data["item"].visual_mask, before)
