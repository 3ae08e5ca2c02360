"""LightGCN under the protocol of the literature, beside the published rows.

    python -m benchmarks.published FOLDER --out published.jsonl

The folder's name chooses the row: the official split of Amazon Baby or Sports, protocol ``mmrec``.
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.sweep import record
from crane_pyg.datasets import load_dataset

PUBLISHED = {
    "baby": {"Recall@10": 0.0479, "Recall@20": 0.0754, "NDCG@10": 0.0257, "NDCG@20": 0.0328},
    "sports": {"Recall@10": 0.0569, "Recall@20": 0.0864, "NDCG@10": 0.0311, "NDCG@20": 0.0387},
}
# A fifth of the published learning rate's epochs; patience is 20 epochs, as published.
FIT: dict[str, Any] = {"lr": 5e-3, "batch_size": 2048, "eval_every": 2, "patience": 10}
SETTINGS: dict[str, dict[str, Any]] = {
    "baby": {"num_layers": 3, "l2": 1e-3},
    "sports": {"num_layers": 3, "l2": 1e-3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder named baby or sports")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    settings = FIT | SETTINGS[dataset.name]
    key = {"model": "lightgcn", "data": dataset.name, "settings": settings, "seed": args.seed}
    row = record(args.out, key, dataset[0], split="test", protocol="mmrec")
    print(f"{dataset.name}, mmrec, seed {args.seed}, best epoch {row['best_epoch']}")
    for name, value in PUBLISHED[dataset.name].items():
        ours = row["scores"][name]
        print(f"{name:>10}  ours {ours:.4f}  published {value:.4f}  {ours / value - 1:+.1%}")


if __name__ == "__main__":
    main()
