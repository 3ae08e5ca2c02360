"""What few large steps cost in accuracy, beside batches of 1024, over paired seeds.

    python -m benchmarks.steps FOLDER ... --models lightgcn crane --steps 16 --out steps.jsonl

A step walks the whole graph, so that on large data the library takes few large ones
(`crane_pyg.training.steps`). Small sets have few steps anyway; here these are made fewer still,
down to `--steps` an epoch, as large ones would have it. Each arm chooses among the same learning
rates on validation, with a seed of its own, and is then tested with the seeds. One JSON line per
run (those that stand there already are not trained again), and a table at the end: the mean of the
relative difference in test NDCG@20, and its 95% interval by Student's t over the pairs. Folders
without features train CRANE without its item graph.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from torch_geometric.data import HeteroData

from benchmarks.sweep import read
from crane_pyg.datasets import load_dataset, modalities
from crane_pyg.experiments import complete_settings, construct_model, markdown_table, split_settings
from crane_pyg.training import TRAINING_DEFAULTS, evaluate, fit

RATES: dict[str, tuple[float, ...]] = {
    "lightgcn": (1e-3, 3e-3, 1e-2),
    "crane": (1e-3, 3e-3, 1e-2),
}
OWN: dict[str, dict[str, Any]] = {"lightgcn": {"num_layers": 2, "l2": 0.0}, "crane": {}}
TUNING_SEED = 100
SCORES = ("NDCG@20", "Recall@20")


def run(
    args: argparse.Namespace, name: str, data: HeteroData, key: dict[str, Any]
) -> dict[str, Any]:
    """The line of ``--out`` for this run; trained and added if absent."""
    limits = {field: vars(args)[field] for field in ("epochs", "patience", "eval_users")}
    key = {"dataset": name, **limits, **key}
    for row in read(args.out):
        if all(row.get(field) == value for field, value in key.items()):
            return row
    own = OWN[key["model"]]
    if key["model"] == "crane" and not modalities(data):
        own = own | {"fusion": None}
    training = {field: key[field] for field in ("lr", "epochs", "patience")}
    training |= {"batch_size": TRAINING_DEFAULTS.batch_size, "steps_per_epoch": key["steps"]}
    training |= {"eval_users": args.eval_users}
    settings = complete_settings(key["model"], own | training)
    model = construct_model(key["model"], data, settings, key["seed"])
    fitted = split_settings(settings)[1]
    result = fit(model, data, **fitted, seed=key["seed"], device=args.device, progress=False)
    row = key | {
        "best_epoch": result.best_epoch,
        "seconds_per_epoch": round(result.seconds_per_epoch, 3),
        "val": result.best_score,
        "test": evaluate(model, data.to(args.device), "test"),
    }
    with args.out.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)
    return row


def arm(
    args: argparse.Namespace, name: str, data: HeteroData, model: str, steps: int | None
) -> list[dict[str, Any]]:
    """The runs of one arm over the seeds, with the rate that validation chose."""
    key = {"model": model, "steps": steps}
    tuned = [run(args, name, data, key | {"lr": lr, "seed": TUNING_SEED}) for lr in RATES[model]]
    best = max(tuned, key=lambda row: row["val"])["lr"]
    return [run(args, name, data, key | {"lr": best, "seed": seed}) for seed in args.seeds]


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The mean relative difference of pairs, and its 95% interval."""
    change = np.array(ours) / np.array(theirs) - 1
    mean = float(change.mean())
    if len(change) < 2 or change.std() == 0:
        return mean, mean, mean
    half = stats.t.ppf(0.975, len(change) - 1) * stats.sem(change)
    return mean, mean - float(half), mean + float(half)


def table(results: dict[tuple[str, str, int], tuple[list[Any], list[Any]]]) -> str:
    """A line for each data set, model and number of steps."""
    rows = []
    for (name, model, steps), (few, many) in results.items():
        row = {"data": name, "model": model, "steps": str(steps), "seeds": str(len(few))}
        row |= {"rates": f"{few[0]['lr']:g} / {many[0]['lr']:g}"}
        for score in SCORES:
            mean, low, high = interval(*([x["test"][score] for x in arm] for arm in (few, many)))
            row[score] = f"{mean:+.2%} ({low:+.2%} to {high:+.2%})"
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="folders")
    parser.add_argument("--models", nargs="+", choices=sorted(OWN), default=sorted(OWN))
    parser.add_argument("--steps", type=int, nargs="+", default=[16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--patience", type=int, default=20)
    parser.add_argument("--eval-users", type=int, help="so many rank for validation (default: all)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    results = {}
    for path in args.data:
        dataset = load_dataset(path)
        for model in args.models:
            many = arm(args, dataset.name, dataset[0], model, None)
            for steps in args.steps:
                few = arm(args, dataset.name, dataset[0], model, steps)
                results[dataset.name, model, steps] = few, many
    print(table(results))


if __name__ == "__main__":
    main()
