"""CRANE under BPR beside LightGCN and beside itself with one thing changed, over seeds.

    python -m benchmarks.defaults DATA --out defaults.jsonl

Protocol ``strict``: settings were chosen by ``benchmarks.sweep`` on validation, test is measured
once per seed. Writes one JSON line per run (runs that stand there already are not trained again)
and a Markdown table beside them; the p-value is of a paired t-test over the seeds.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.sweep import record
from crane_pyg.datasets import load_dataset
from crane_pyg.experiments import complete_settings, markdown_table, mean_and_sd, paired_p_value

METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")

# By data set: the settings that won on validation; what is not named is the library's default.
LIGHTGCN: dict[str, dict[str, Any]] = {
    "tiktok": {"num_layers": 2, "l2": 1e-2},
    "lfm2k": {"num_layers": 1, "l2": 1e-3},
}
CRANE: dict[str, dict[str, Any]] = {
    "tiktok": {},
    "lfm2k": {"num_layers": 1},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "CRANE": {},
    "w/o item graph": {"fusion": None},
    "w/o RCA": {"fusion": "concat"},
    "with contrastive": {"beta": 0.001},
    "RCA by nystrom": {"impl": "nystrom"},
    "RCA by linear": {"impl": "linear"},
}
FIT = {"epochs": 300, "patience": 20}


def variants(name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Model and settings of each row of the table."""
    rows = {"LightGCN": ("lightgcn", FIT | LIGHTGCN.get(name, {}))}
    crane = complete_settings("crane", FIT | CRANE.get(name, {}), preset="bpr")
    return rows | {row: ("crane", crane | change) for row, change in VARIANTS.items()}


def summarise(scores: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean, deviation, and difference to LightGCN and to CRANE with their p-values.

    Args:
        scores: by row, a metric a column and a seed a line; two rows are compared on the seeds that
            both have.
    """
    rows = []
    for name, frame in scores.items():
        row = {"model": name, "seeds": str(len(frame))}
        for metric in METRICS:
            row[metric] = mean_and_sd(frame[metric])
        for rival in ("LightGCN", "CRANE"):
            for metric in ("Recall@20", "NDCG@20"):
                pair = pd.concat([frame[metric], scores[rival][metric]], axis=1, join="inner")
                row[f"{metric} to {rival}"] = "" if name == rival else compare(pair)
        rows.append(row)
    return pd.DataFrame(rows)


def compare(pair: pd.DataFrame) -> str:
    """Of two columns, the first against the second."""
    ours, theirs = (pair.iloc[:, side] for side in (0, 1))
    if np.allclose(ours, theirs):
        return "identical"
    change = f"{ours.mean() / theirs.mean() - 1:+.1%}"
    return change if len(pair) < 2 else f"{change} (p = {paired_p_value(ours, theirs):.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--variant-seeds", type=int, default=3, help="of those, for variants")
    parser.add_argument("--only", nargs="+", help="rows; the table needs LightGCN and CRANE")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    data = dataset[0]
    scores: dict[str, pd.DataFrame] = {}
    for name, (model, settings) in variants(dataset.name).items():
        if args.only is not None and name not in args.only:
            continue
        runs = {}
        for seed in args.seeds[: None if name in ("LightGCN", "CRANE") else args.variant_seeds]:
            key = {"model": model, "settings": settings, "seed": seed}
            runs[seed] = record(args.out, key, data, split="test")["scores"]
            print(f"{name:<16} seed {seed}  {runs[seed]}", flush=True)
        scores[name] = pd.DataFrame.from_dict(runs, orient="index")
    if {"LightGCN", "CRANE"} <= scores.keys():
        table = markdown_table(summarise(scores))
        args.out.with_suffix(".md").write_text(f"# {dataset.name}, strict\n\n{table}\n")
        print(table)


if __name__ == "__main__":
    main()
