"""The GPU benchmark counts what it says, survives failures, and runs end to end on a CPU."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import attention, epochs, limits, sparse, tables, timing
from benchmarks.gpu.drawing import Drawing
from benchmarks.gpu.session import ContextLost, Session, read
from benchmarks.gpu.sizes import FULL, REHEARSAL
from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.datasets.synthetic import PRESETS

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def session(tmp_path):
    return Session(tmp_path, CPU, REHEARSAL, Drawing(REHEARSAL, ahead=False))


def test_attention_counts_products_and_tanh():
    assert limits.FORWARD.total_flops(10, 20, 8) == 2 * (2 * 10 * 20 * 8)
    assert limits.TRAINING.total_flops(10, 20, 8) == 7 * (2 * 10 * 20 * 8)
    assert limits.TWO_PASSES.total_flops(10, 20, 8) == 9 * (2 * 10 * 20 * 8)
    # 6,400 operations at 64 a second are longer than 200 tanh at 4; at 8 operations, shorter.
    assert limits.FORWARD.seconds(10, 20, 8, product_rate=64.0, tanh_rate=4.0) == 100
    assert limits.FORWARD.seconds(10, 20, 8, product_rate=256.0, tanh_rate=4.0) == 50
    assert limits.TRAINING.seconds(10, 20, 8, product_rate=math.inf, tanh_rate=4.0) == 100
    assert limits.FORWARD.seconds(10, 20, 8, product_rate=64.0, tanh_rate=math.inf) == 100


def test_tanh_units_take_two_halves_at_once():
    assert limits.tanh_rate(132, 2e9, torch.float32) == 132 * 2e9 * 16
    assert limits.tanh_rate(132, 2e9, torch.bfloat16) == 132 * 2e9 * 32


def test_sparse_products_count_what_they_touch():
    # Three edges of a 32-bit column, a weight and a row of two; two rows and their ends written.
    assert limits.gathered_bytes(3, 2, channels=2, itemsize=4) == 3 * (4 + 4 + 8) + 2 * (4 + 8)
    # Where each of the five rows of x is read once.
    counted = 3 * (4 + 4) + 2 * 4 + (5 + 2) * 8
    assert limits.fewest_bytes(3, 5, 2, channels=2, itemsize=4) == counted


def test_shares_are_of_the_rates_measured():
    record = {"forward_s": 2.0, "training_s": 4.0}
    rates = {"bfloat16": 1e12, "packed tanh": 1e9}
    found = attention.speeds(record, rates, "bfloat16", 10_000, 100)
    assert found["forward_tflops"] == pytest.approx(4 * 1e8 * 100 / 2 / 1e12)
    assert found["forward_of_products"] == pytest.approx(0.02)
    assert found["forward_of_limit"] == pytest.approx(0.05)  # a tanh a pair takes 0.1 s
    assert found["training_of_limit"] == pytest.approx(0.05)
    assert found["training_of_two_passes"] == pytest.approx(0.075)
    twice = attention.speeds(record, rates, "bfloat16", 10_000, 100, heads=2)
    assert twice["forward_of_limit"] == pytest.approx(0.1)


def test_an_epoch_adds_up():
    laps = {
        "begin": [0.5],
        "sampling": [2.0, 0.0, 0.0],
        "forward": [4.0, 1.0, 1.0],
        "backward": [7.0, 2.0, 2.0],
        "optimizer": [1.0, 1.0, 1.0],
    }
    whole = epochs.seconds_by_part(laps, 3)
    assert whole["epoch_s"] == sum(map(sum, laps.values()))
    assert not whole["extrapolated"]
    assert whole["rebuild_s"] == 3 + 5
    assert (whole["forward_s"], whole["backward_s"], whole["sampling_s"]) == (3, 6, 2)
    longer = epochs.seconds_by_part(laps, 10)
    assert longer["extrapolated"]
    assert longer["epoch_s"] == whole["epoch_s"] + 7 * (1 + 2 + 1)
    assert longer["rebuild_s"] == whole["rebuild_s"]


def test_laps_are_of_what_lies_between():
    watch = timing.Stopwatch(CPU)
    watch.start()
    time.sleep(0.02)
    watch.lap("long")
    watch.lap("short")
    laps = watch.laps()
    assert list(laps) == ["long", "short"]
    assert laps["long"][0] >= 0.02 > laps["short"][0]


def test_calls_are_timed_after_the_first():
    calls = []

    def work():
        calls.append(0)
        time.sleep(0.2 if len(calls) == 1 else 0.001)

    found = timing.timed(work, CPU, 0.01)
    assert found.first >= 0.2 > found.median >= found.least >= 0.001
    assert 3 <= len(calls) <= 12


def test_the_graph_has_both_directions():
    data = SyntheticMultimodal("tiny")[0]
    edge_index, weight, num_nodes = sparse.symmetric(data)
    dense = torch.zeros(num_nodes, num_nodes)
    dense[edge_index[0], edge_index[1]] = weight
    assert num_nodes == 300 + 200
    assert torch.equal(dense, dense.T)
    assert (dense > 0).sum() == 2 * data["user", "interacts", "item"].num_edges


def test_what_fails_is_a_line_and_the_rest_goes_on(session):
    def fail():
        raise ValueError("no\nsuch thing")

    session.attempt("attention", {"n": 1}, fail)
    session.attempt("attention", {"n": 2}, lambda x: {"x": x}, 5)
    session.deadline = -math.inf
    session.attempt("attention", {"n": 3}, fail)
    failed, found, skipped = read(session.path)
    assert failed["error"] == "ValueError: no such thing"
    assert (found["x"], found["n"]) == (5, 2)
    assert skipped["skipped"] == "out of time"
    missing = tables.missing(read(session.path))[1].splitlines()
    assert missing == ["- ValueError: no such thing: attention 1", "- out of time: attention 3"]


def test_a_resumed_run_measures_what_is_missing(session):
    session.attempt("attention", {"n": 1}, dict, [("x", 1)])
    session.deadline = -math.inf
    session.attempt("attention", {"n": 2}, dict, [("x", 2)])
    again = Session(session.folder, CPU, REHEARSAL, session.drawing)
    for n in (1, 2):
        again.attempt("attention", {"n": n}, dict, [("x", 10 * n)])
    assert [(r["n"], r["x"]) for r in read(again.path)] == [(1, 1), (2, 20)]


def test_a_lost_device_ends_the_process_s_part(session):
    def lose():
        raise ContextLost("an illegal memory access")

    with pytest.raises(ContextLost):
        session.attempt("part", {"name": "attention"}, lose)
    assert read(session.path) == []


def test_parts_end_in_time():
    parts = [*command.SHARES]
    ends = command.allotted(parts, 350)
    assert [*ends.values()] == sorted(ends.values())
    assert ends["evaluation"] <= 350 - command.EXAMPLE_SECONDS + 1e-9
    assert command.allotted(["sparse"], 100) == {"sparse": 100}


def test_sets_are_drawn_in_other_processes():
    sizes = REHEARSAL._replace(scale={"baby": 0.01})
    drawing = Drawing(sizes, ahead=True)
    drawn = drawing.data("baby")
    here = Drawing(sizes, ahead=False).data("baby")
    drawing.close()
    assert torch.equal(drawn["item"].x_visual, here["item"].x_visual)
    assert drawing.seconds["baby"] > 0


def test_all_four_sets_are_measured_in_full():
    assert FULL.scale == dict.fromkeys(("baby", "electronics", "sports", "clothing"), 1.0)
    assert {preset for preset, _ in FULL.epochs} == set(FULL.scale) <= set(PRESETS)


def test_needs_a_cuda_device(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["--out", str(tmp_path / "out")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("needs a CUDA device: ")
    assert not (tmp_path / "out").exists()


def test_unknown_parts_are_refused(capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["--out", str(tmp_path), "--only", "sparse,jam"])
    assert "(got jam)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rehearsal_leaves_everything(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--rehearse", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    last = json.loads(run.stdout.splitlines()[-1])
    pictures = {"attention.png", "sparse.png", "epochs.png"}
    assert {path.name for path in tmp_path.iterdir()} == pictures | {
        *("gpu.jsonl", "gpu.md", epochs.TRACE)
    }
    for name in pictures:
        image = imread(tmp_path / name)[:, :, :3]
        colored = image.max(axis=2) - image.min(axis=2) > 0.3
        assert 0.001 < colored.mean() < 0.5

    records = read(tmp_path / "gpu.jsonl")
    assert last["measured"] + last["errors"] == len(records)
    assert {r["name"] for r in records if r["part"] == "part" and "error" not in r} == {
        *command.SHARES
    }
    failed = {
        r.get("impl", r.get("dtype")) for r in records if "error" in r
    }  # what a CPU does not have
    assert failed <= {"triton_approx", "sdpa cudnn", "flex, tanh in softmax", "bfloat16"}
    for record in tables.measured(records, "attention"):
        assert record["error_to_torch"] < 2
    models = {(r["preset"], r["model"]) for r in tables.measured(records, "epochs")}
    assert models >= {(p, m) for p in FULL.scale for m in ("CRANE", "LightGCN", "FREEDOM")}


def test_products_in_float32_may_be_made_of_six_in_bfloat16():
    rates = {"float32": 50.0, "bfloat16": 780.0, "tf32": 400.0}
    assert limits.product_rate("float32", rates) == 130.0
    assert limits.product_rate("float32", {"float32": 50.0, "bfloat16": 60.0}) == 50.0
    assert limits.product_rate("tf32", rates) == 400.0
