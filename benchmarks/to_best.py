"""Seconds from the start to the best epoch: CRANE's default, its preset with BPR, the classics.

    OMP_NUM_THREADS=1 python -m benchmarks.to_best DATA ... --out to_best.jsonl

What counts: constructing the model, training with its evaluations up to the epoch whose weights are
kept, and what is chosen afterwards. What patience spends behind that epoch does not count, but is
written beside it. Rounds over all rivals, one after another, so that a machine's moods meet each;
seconds by the clock and of the processor. What is solved has its published settings. `curve` is
Recall@20 on validation after each evaluation and the processor seconds until then. One JSON line
per run (those there are not run again), then the ratio of the medians to that of the first, and
what CRANE took until it was as good as the preset at its best, of the same seed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import HeteroData

from benchmarks.sweep import read
from crane_pyg.datasets import load_dataset
from crane_pyg.experiments import complete_settings, construct_model, split_settings
from crane_pyg.training import fit

CURVE = "Recall@20"  # whatever chooses the best epoch
RIVALS = {
    "CRANE": ("crane", None),
    "CRANE, preset bpr": ("crane", "bpr"),
    "iALS": ("ials", None),
    "EASE": ("ease", None),
}


def run(name: str, data: HeteroData, seed: int) -> dict[str, Any]:
    """One training, with the clocks read after every epoch."""
    key, preset = RIVALS[name]
    clocks, curve = [], []

    def look(row: Any) -> None:
        clocks.append((time.perf_counter(), time.process_time()))
        if row is not None and CURVE in row:
            seconds = clocks[-1][1] - clocks[0][1]
            curve.append([round(seconds, 2), round(row[CURVE], 4)])

    settings = complete_settings(key, preset=preset)
    look(None)
    model = construct_model(key, data, settings, seed)
    result = fit(
        model, data, **split_settings(settings)[1], seed=seed, progress=False, callback=look
    )
    look(None)
    begin, best, last, end = (clocks[place] for place in (0, result.best_epoch, -2, -1))
    spent = [best[i] - begin[i] + end[i] - last[i] for i in (0, 1)]
    return {
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "monitor": result.monitor,
        "val": round(result.best_score, 4),
        "seconds": round(spent[0], 2),
        "processor_seconds": round(spent[1], 2),
        "seconds_with_patience": round(end[0] - begin[0], 2),
        "curve": curve,
    }


def seconds_to_match(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Processor seconds until CRANE's score was what the preset's is at its best, for each seed."""
    curves = {(row["model"], row["seed"]): row["curve"] for row in rows if "curve" in row}
    found = []
    for (name, seed), curve in curves.items():
        other = curves.get(("CRANE, preset bpr", seed))
        if name == "CRANE" and other is not None:
            mark = max(score for _, score in other)
            reached = [seconds for seconds, score in curve if score >= mark]
            found.append(reached[0] if reached else float("inf"))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="folders or synthetic presets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for path in args.data:
        dataset = load_dataset(path)
        for seed in args.seeds:
            for name in RIVALS:
                key = {"data": dataset.name, "model": name, "seed": seed}
                if any(key.items() <= row.items() for row in read(args.out)):
                    continue
                row = key | run(name, dataset[0], seed)
                with args.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
        rows = [row for row in read(args.out) if row["data"] == dataset.name]
        medians = {}
        for name in RIVALS:
            spent = [row["processor_seconds"] for row in rows if row["model"] == name]
            medians[name] = statistics.median(spent)
        for name, median in medians.items():
            times = median / medians["CRANE"]
            print(f"{dataset.name}: {name}, {median:.1f} processor seconds, {times:.2f} of CRANE's")
        for seconds in seconds_to_match(rows):
            print(f"{dataset.name}: as good as the preset after {seconds:.1f}")


if __name__ == "__main__":
    main()
