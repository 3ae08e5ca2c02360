"""What it costs that items lack a modality: masked, filled with the mean, or filled with zeros.

    python -m benchmarks.missing DATA --modality image --ratio 0.3 --out missing.jsonl

A share of the items loses its features of one modality; which ones is drawn by the training seed,
the same for every policy. Protocol ``strict``, test. Writes one JSON line per run (runs that stand
there already are not trained again) and a Markdown table beside them; p-values are of a paired
t-test over the seeds.
"""

import argparse
import copy
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch_geometric.data import HeteroData

from benchmarks.sweep import record
from crane_pyg.datasets import load_dataset
from crane_pyg.experiments import markdown_table, mean_and_sd, paired_p_value
from crane_pyg.transforms import FillMissing

POLICIES = ("complete", "mask", "mean", "zero")
METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")
SETTINGS: dict[str, Any] = {"epochs": 300, "patience": 20, "impl": "nystrom"}


def drop(data: HeteroData, modality: str, ratio: float, seed: int) -> HeteroData:
    """The data without this modality of some of the items that have it."""
    data = copy.copy(data)
    store = data["item"]
    mask = store[f"{modality}_mask"].clone()
    has = mask.nonzero().view(-1)
    order = torch.randperm(has.numel(), generator=torch.Generator().manual_seed(seed))
    lost = has[order[: round(ratio * has.numel())]]
    mask[lost] = False
    store[f"x_{modality}"] = store[f"x_{modality}"].index_fill(0, lost, 0)
    store[f"{modality}_mask"] = mask
    return data


def summarise(scores: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean and deviation by policy, and Recall@20 and NDCG@20 against complete data and masks."""
    rows = []
    for policy, frame in scores.items():
        row = {"missing": policy, "seeds": str(len(frame))}
        row |= {metric: mean_and_sd(frame[metric]) for metric in METRICS}
        for rival in ("complete", "mask"):
            for metric in ("Recall@20", "NDCG@20"):
                row[f"{metric} to {rival}"] = _compare(frame, scores.get(rival), metric)
        rows.append(row)
    return pd.DataFrame(rows)


def _compare(frame: pd.DataFrame, rival: pd.DataFrame | None, metric: str) -> str:
    if rival is None or rival is frame:
        return ""
    ours, theirs = (x[metric] for x in frame.align(rival, join="inner", axis=0))
    change = f"{ours.mean() / theirs.mean() - 1:+.1%}"
    return change if len(ours) < 2 else f"{change} (p = {paired_p_value(ours, theirs):.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--modality", default="image")
    parser.add_argument("--ratio", type=float, default=0.3)
    parser.add_argument("--model", default="crane")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    settings = SETTINGS if args.model == "crane" else {"epochs": 300, "patience": 20}
    runs: dict[str, dict[int, dict[str, float]]] = {policy: {} for policy in args.policies}
    for seed in args.seeds:
        for policy in args.policies:
            key = {"model": args.model, "settings": settings, "seed": seed, "missing": policy}
            data = dataset[0]
            if policy != "complete":
                key |= {"modality": args.modality, "ratio": args.ratio}
                data = FillMissing(policy)(drop(data, args.modality, args.ratio, seed))
            runs[policy][seed] = record(args.out, key, data, split="test")["scores"]
            print(f"{policy:<9} seed {seed}  {runs[policy][seed]}", flush=True)
    frames = {policy: pd.DataFrame.from_dict(rows, orient="index") for policy, rows in runs.items()}
    table = markdown_table(summarise(frames))
    what = f"{args.model}, {args.ratio:.0%} of the items without {args.modality}"
    args.out.with_suffix(".md").write_text(f"# {dataset.name}, strict, {what}\n\n{table}\n")
    print(table)


if __name__ == "__main__":
    main()
