import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from benchmarks import scale, steps
from crane_pyg.schema import USER_TO_ITEM


def test_drawn_data_have_the_sizes_and_distinct_pairs():
    data = scale.draw(3000, 8)
    assert (data["user"].num_nodes, data["item"].num_nodes) == (300, 300)
    edges = data[USER_TO_ITEM].edge_index
    assert torch.unique(edges, dim=1).shape == edges.shape
    taken_by_own_group = (edges[0] % 50 == edges[1] % 50).float().mean()
    assert taken_by_own_group > 0.4  # by chance it would be 0.02; repeated pairs count once
    assert data["item"].x_image.shape == (300, 8)


def test_each_size_is_measured_once_and_exponents_are_fitted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scale, "fresh_process", lambda: ThreadPoolExecutor(1))
    argv = ["--sizes", "3000", "6000", "--models", "lightgcn", "pyg", "--width", "4"]
    argv += ["--threads", "1", "--out", str(tmp_path / "scale")]
    scale.main(argv)
    written = (tmp_path / "scale.jsonl").read_text()
    records = [json.loads(line) for line in written.splitlines()]
    assert [r["model"] for r in records] == ["lightgcn", "pyg"] * 2
    assert all(r["epoch_s"] >= r["step_s"] > 0 for r in records)
    assert all(r["share"] > 0 for r in records if r["model"] == "lightgcn")
    assert "exponent" in capsys.readouterr().out
    assert (tmp_path / "scale.png").exists()
    scale.main(argv)
    assert (tmp_path / "scale.jsonl").read_text() == written


def test_an_interval_of_relative_differences():
    mean, low, high = steps.interval([0.11, 0.12, 0.13], [0.1, 0.1, 0.1])
    assert mean == pytest.approx(0.2)
    assert high - mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)  # t of two degrees
    assert mean - low == pytest.approx(high - mean)
    assert steps.interval([0.2], [0.1]) == pytest.approx((1.0, 1.0, 1.0))


def test_arms_of_steps_are_tuned_alike_and_run_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(steps, "RATES", {"lightgcn": (1e-3, 1e-2)})
    out = tmp_path / "steps.jsonl"
    argv = ["tiny", "--models", "lightgcn", "--steps", "2", "--seeds", "0", "1"]
    argv += ["--epochs", "1", "--out", str(out)]
    steps.main(argv)
    written = out.read_text()
    records = [json.loads(line) for line in written.splitlines()]
    assert len(records) == 2 * (2 + 2)
    assert {r["steps"] for r in records} == {None, 2}
    for arm in (None, 2):
        tuned = [r for r in records if r["steps"] == arm and r["seed"] == steps.TUNING_SEED]
        best = max(tuned, key=lambda r: r["val"])["lr"]
        tested = [r for r in records if r["steps"] == arm and r["seed"] != steps.TUNING_SEED]
        assert {r["lr"] for r in tested} == {best}
    assert "NDCG@20" in capsys.readouterr().out
    steps.main(argv)
    assert out.read_text() == written
