"""The benchmark commands run, add up, and do not train twice."""

import json
import sys
import time

import pytest
import torch
from matplotlib.image import imread

from benchmarks import (
    amazon_raw,
    approximations,
    attention_input,
    attention_schemes,
    defaults,
    epoch,
    measure,
    missing,
    missing_graph,
    prepare,
    published,
    spmv_vs_dense,
    sweep,
    tanh_attention,
    to_best,
)
from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.ops.attention import nystrom
from crane_pyg.training import TripletSampler


def run(monkeypatch, module, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


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


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def assert_drawn(path):
    """Wide enough to read, and with more colours than paper, ink and their blends."""
    image = imread(path)[:, :, :3]
    assert min(image.shape[:2]) >= 1000
    colored = image.max(axis=2) - image.min(axis=2) > 0.3
    assert 0.001 < colored.mean() < 0.5


def test_tanh_attention_against_its_rulers(capsys):
    tanh_attention.main(["--n", "96", "--d", "8", "--gemm", "64", "--repeats", "2"])
    line = last_line(capsys)
    records = {record["impl"]: record for record in line["impls"]}
    assert list(records) == tanh_attention.default_impls(96, torch.float32, torch.device("cpu"))
    assert records["reference"]["error_to_torch"] == pytest.approx(1, rel=0.5)
    for impl, record in records.items():
        for part, products in (("forward", 4), ("total", 14)):
            times = record[part]
            assert 0 < times["min_ms"] <= times["ms"]
            if impl in tanh_attention.APPROXIMATIONS:
                tiled = records["tiled"][part]["min_ms"]
                assert times["speedup"] == pytest.approx(tiled / times["min_ms"])
            else:
                operations = products * 96 * 96 * 8
                assert times["gflops"] == pytest.approx(operations / times["min_ms"] / 1e6)
                gemm = line["rulers_gflops"]["64^3"]
                assert times["of_gemm"] == pytest.approx(times["gflops"] / gemm)
                products_rate = line["rulers_gflops"]["two products"]
                assert times["of_products"] == pytest.approx(times["gflops"] / products_rate)


def test_spmv_vs_dense(capsys, tmp_path):
    path = tmp_path / "new" / "figure.png"
    methods = ["scatter", "spmm", "tiled", "linear"]
    sizes = ["--min-exp", "6", "--max-exp", "9", "--repeats", "1"]
    spmv_vs_dense.main([*sizes, "--methods", *methods, "--out", str(path)])
    line = last_line(capsys)
    for method in methods:
        records = line["runs"][method]
        assert [record["n"] for record in records] == [64, 128, 256, 512]
        assert all(0 < r["forward_s"] < r["total_s"] for r in records)
        assert set(line["slopes"][method]) == {"time", "memory"}
    assert_drawn(path)


def test_all_sparse_products_agree():
    device = torch.device("cpu")
    products = [
        spmv_vs_dense.build(method, 9.0, 1, device, 50).forward()
        for method in spmv_vs_dense.default_methods(device)
        if method in spmv_vs_dense.PRODUCTS
    ]
    for product in products[1:]:
        torch.testing.assert_close(product, products[0])


def test_a_method_ends_before_it_passes_a_limit():
    def runs(*seconds):
        return [{"total_s": s, "total_bytes": 100.0} for s in seconds]

    assert spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=40, memory=300)
    assert not spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=30, memory=300)
    assert not spmv_vs_dense.may_grow(runs(2.0, 8.0), limit=40, memory=150)


def test_approximations(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(attention_schemes, "LANDMARKS", (8, 16))
    path = tmp_path / "figure.png"
    sizes = ["--min-exp", "8", "--max-exp", "9", "--repeats", "1"]
    approximations.main([*sizes, "--logit-scale", "1", "4", "--out", str(path)])
    line = last_line(capsys)
    assert len(line["runs"]) == 2 * 2 * (1 + 3 * 2 + 2)
    for record in line["runs"]:
        assert ("forward_s" in record) == (record["logit_scale"] == 1)
        assert ("error_dk" in record) == (record["scheme"] in attention_schemes.IN_LIBRARY)
    error = {(r["n"], r["logit_scale"], r["scheme"], r["size"]): r["error_f"] for r in line["runs"]}
    assert error[512, 1, "linear", None] < error[512, 4, "linear", None]
    assert error[512, 1, "nystrom", 16] < error[512, 1, "linear", None]
    assert nystrom.NUM_LANDMARKS == 128
    assert_drawn(path)


def test_approximations_with_all_blocks_are_exact():
    case = attention_input.planted(300)
    out = attention_schemes.linear_and_blocks(case, 1.0)(*case[:3])
    torch.testing.assert_close(out, attention_schemes.tiled(*case[:3]), rtol=1e-4, atol=1e-4)


def test_approximations_of_a_data_set(capsys):
    approximations.main(["--data", "tiny", "--repeats", "1"])
    inputs = {(record["input"], record["n"]) for record in last_line(capsys)["runs"]}
    assert inputs == {("visual", 500), ("textual", 500)}


def test_the_first_round_is_the_modules_own(monkeypatch):
    seen = []
    attention = attention_schemes.tanh_attention
    monkeypatch.setattr(
        "crane_pyg.nn.attention.rca.tanh_attention",
        lambda *inputs, impl: seen.append(inputs) or attention(*inputs, impl=impl),
    )
    for case, inputs in zip(attention_input.recorded("tiny").values(), seen, strict=True):
        for ours, own in zip(case[:3], inputs, strict=True):
            torch.testing.assert_close(ours, own)


def test_a_timed_sampler_hands_out_the_batches_of_training():
    data = SyntheticMultimodal("tiny")[0]
    torch.manual_seed(0)
    expected = list(TripletSampler.from_data(data, 512))
    for limit in (None, 2):
        torch.manual_seed(0)
        sampler = measure.TimedSampler(data, 512, limit)
        before = time.perf_counter()
        batches = []
        for batch in sampler:
            batches.append(batch)
            time.sleep(0.01)
        assert len(batches) == len(sampler) == len(sampler.seconds) == len(expected[:limit])
        assert all(torch.equal(a, b) for x, y in zip(batches, expected) for a, b in zip(x, y))
        assert min(sampler.seconds) >= 0.01
        assert before < sampler.started < before + sum(sampler.seconds) + 1


def test_an_epoch(capsys, tmp_path):
    epoch.main(["tiny", "--set", "k=5", "--out", str(tmp_path / "epoch.jsonl")])
    record = last_line(capsys)
    assert record["data"] == "tiny"
    assert 0 < record["step_s"] < record["epoch_s"]
    assert 0 < record["first_step_s"] < record["epoch_s"]


def test_exponents():
    assert measure.slope([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2)
    assert measure.slope([1, 2, 4], [3.0, 0.0, 48.0]) is None
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 9.0, 16.0, 64.0]) == pytest.approx(2)
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 0.0, 16.0, 64.0]) == pytest.approx(2)
    assert measure.upper_slope([1, 2], [1.0, 2.0]) is None
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 9.0, 0.0, 64.0]) is None


def _fill(n):
    """Touches n KiB for an output of n floats; of a module, since a fresh process imports it."""
    return measure.Rival(lambda: torch.ones(n, 256).sum(1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_peak_memory_is_that_of_the_step():
    memory = measure.peak_memory(_fill, 64 * 1024, torch.device("cpu"))
    assert memory.output == memory.results == 4 * 64 * 1024
    assert memory.forward == pytest.approx(64 * 2**20, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_prepare(capsys, tmp_path):
    sizes = ["--lines", "900", "--users", "30", "--items", "20", "--words", "4"]
    prepare.main([*sizes, "--out", str(tmp_path / "runs.jsonl")])
    line = last_line(capsys)
    assert "rows read: 900" in line["report"]
    assert "text: tfidf-svd-20, 0 items lack it (all-zero row)" in line["report"]
    assert line["cpu_seconds"] > 0
    assert line["peak_mb"] > 100
    assert json.loads((tmp_path / "runs.jsonl").read_text()) == line


def test_original_files_of_amazon_are_written_and_read(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(amazon_raw, "_in_a_fresh_process", amazon_raw.read)
    root, out = tmp_path / "root", tmp_path / "out.jsonl"
    run(monkeypatch, amazon_raw, root, "--scale", 0.001, "--remove", "--out", out)
    record = last_line(capsys)
    assert record == json.loads(out.read_text())
    for part in ("converted", "read_again"):
        sizes = [record[part][name] for name in ("users", "items", "interactions")]
        assert sizes == [192, 63, 1689]
    assert not root.exists()


def test_seconds_to_the_best_epoch_leave_patience_out(monkeypatch, tmp_path, capsys):
    path = tmp_path / "to_best.jsonl"
    monkeypatch.setattr(
        to_best, "RIVALS", {name: to_best.RIVALS[name] for name in ("CRANE", "EASE")}
    )
    for _ in range(2):  # what is there is not run again
        to_best.main(["tiny", "--seeds", "0", "--out", str(path)])
    rows = sweep.read(path)
    assert [row["model"] for row in rows] == ["CRANE", "EASE"]
    crane, ease = rows
    assert crane["epochs"] > crane["best_epoch"]
    assert crane["seconds"] < crane["seconds_with_patience"]
    assert ease["seconds"] == ease["seconds_with_patience"] < crane["seconds"]
    assert "1.00 of CRANE's" in capsys.readouterr().out
    assert len(crane["curve"]) == crane["epochs"]
    assert crane["curve"] == sorted(crane["curve"], key=lambda point: point[0])


def test_seconds_until_it_is_as_good_as_the_preset_at_its_best():
    def row(model, seed, *curve):
        return {"model": model, "seed": seed, "curve": curve}

    rows = [
        row("CRANE", 0, (1, 0.1), (2, 0.3), (3, 0.2)),
        row("CRANE, preset bpr", 0, (5, 0.15), (9, 0.1)),
        row("CRANE", 1, (1, 0.1)),
        row("CRANE, preset bpr", 1, (5, 0.2)),
        row("CRANE", 2, (1, 0.1)),
        {"model": "EASE", "seed": 0},
    ]
    assert to_best.seconds_to_match(rows) == [2, float("inf")]
