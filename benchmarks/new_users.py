"""What users whom training has not seen are served: folded in, beside the same users trained.

    OMP_NUM_THREADS=1 python -m benchmarks.new_users DATA --out new_users.jsonl

A tenth of the users (of those with training and held-out items, drawn by the seed) is hidden: one
model trains on everything, one without these users. What they took in training is their history
when they are served, from an artefact. Protocol ``strict``; scores are means over the hidden users.
``trained``: their own vectors of the first model; ``own embedding off``: the first model, their
vectors folded in as a new user's would be; ``fold-in``: the second model, which never saw them;
``popular``. One line per run; what stands in the file already is not run again. Settings are the
models' defaults, but for the epochs: nothing is chosen here.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.datasets import build_hetero_data, load_dataset
from crane_pyg.experiments import complete_settings, construct_model, split_settings
from crane_pyg.export import export_model
from crane_pyg.schema import USER_TO_ITEM, modalities, sizes
from crane_pyg.serving import Ranking, Recommender
from crane_pyg.training import fit

K = 20
# Enough for validation to peak, and the same for both: what is compared is how users are served.
EPOCHS = {"crane": {"epochs": 20}, "lightgcn": {"epochs": 100}}
SPLITS = ("val", "test")


def edges_of(data: HeteroData) -> tuple[Tensor, Tensor]:
    """All pairs ``[2, E]`` and the split of each."""
    store = data[USER_TO_ITEM]
    parts = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    label = torch.cat([torch.full((part.size(1),), split) for split, part in enumerate(parts)])
    return torch.cat(parts, dim=1), label


def with_pairs(data: HeteroData, pairs: Tensor, label: Tensor) -> HeteroData:
    """The same users, items and features with other pairs."""
    num_users, num_items = sizes(data)
    names = modalities(data)
    return build_hetero_data(
        pairs,
        label,
        num_users=num_users,
        num_items=num_items,
        features={m: data["item"][f"x_{m}"] for m in names},
        masks={m: data["item"][f"{m}_mask"] for m in names},
    )


def hidden_users(data: HeteroData, share: float, seed: int) -> Tensor:
    """Some of the users with training and held-out items."""
    store = data[USER_TO_ITEM]
    held_out = torch.cat([store[f"{split}_edge_label_index"][0] for split in SPLITS])
    trained = store.edge_index[0].unique()
    known = trained[torch.isin(trained, held_out)]
    order = torch.randperm(known.numel(), generator=torch.Generator().manual_seed(seed))
    return known[order[: round(share * known.numel())]].sort().values


def train(
    name: str, data: HeteroData, seed: int, item_ids: list[str] | None = None
) -> tuple[Recommender, float]:
    """The artefact of a model with its defaults, and the seconds that training took."""
    settings = complete_settings(name, EPOCHS.get(name))
    model = construct_model(name, data, settings, seed)
    start = time.perf_counter()
    fit(model, data, **split_settings(settings)[1], seed=seed, progress=False)
    seconds = time.perf_counter() - start
    users, items = ([str(number) for number in range(size)] for size in sizes(data))
    with tempfile.TemporaryDirectory() as folder:
        export_model(model, data, folder, user_ids=users, item_ids=item_ids or items)
        return Recommender.load(folder), seconds


def recall(
    rank: Callable[[int, list[str], list[str]], Ranking],
    data: HeteroData,
    users: Tensor,
    split: str,
) -> float:
    """Mean Recall@20 of some users.

    Args:
        rank: from a user, their history and what is left out to a ranking.
        data: with all pairs.
        users: of whom those count that have items in the split.
        split: what is to be found.
    """
    store, found = data[USER_TO_ITEM], []
    for user in users.tolist():
        history = _items(store.edge_index, user)
        held_out = {part: _items(store[f"{part}_edge_label_index"], user) for part in SPLITS}
        left_out = history if split == "val" else history + held_out["val"]
        if truth := set(held_out[split]):
            ranking = rank(user, history, left_out)
            found.append(len(truth & set(ranking.ids)) / len(truth))
    return sum(found) / len(found)


def _items(edges: Tensor, user: int) -> list[str]:
    return [str(item) for item in edges[1, edges[0] == user].tolist()]


def measure(name: str, data: HeteroData, users: Tensor, seed: int) -> dict[str, object]:
    """The scores of the hidden users, by how they were served."""
    pairs, label = edges_of(data)
    kept = ~torch.isin(pairs[0], users)
    full, full_seconds = train(name, data, seed)
    part, _ = train(name, with_pairs(data, pairs[:, kept], label[kept]), seed)
    served: dict[str, Callable[[int, list[str], list[str]], Ranking]] = {
        "trained": lambda user, history, out: full.recommend(
            str(user), K, filter_seen=False, exclude=out
        ),
        "own embedding off": lambda user, history, out: full.recommend_for_history(
            history, K, filter_seen=False, exclude=out
        ),
        "fold-in": lambda user, history, out: part.recommend_for_history(
            history, K, filter_seen=False, exclude=out
        ),
        "popular": lambda user, history, out: part.recommend(
            "nobody", K, unknown="popular", exclude=out
        ),
    }
    start = time.perf_counter()
    scores = {
        how: {split: recall(rank, data, users, split) for split in SPLITS}
        for how, rank in served.items()
    }
    return {
        "fold-in kind": full.about["fold_in"]["kind"],
        "train seconds": round(full_seconds, 1),
        "seconds of all rankings": round(time.perf_counter() - start, 1),
        "scores": scores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--models", default="crane,lightgcn")
    parser.add_argument("--share", type=float, default=0.1, help="of the users that are hidden")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    data = dataset[0]
    lines = args.out.read_text().splitlines() if args.out.is_file() else []
    for seed in args.seeds:
        users = hidden_users(data, args.share, seed)
        for name in args.models.split(","):
            key = {"data": dataset.name, "model": name, "seed": seed, "hidden": users.numel()}
            if any(key.items() <= json.loads(line).items() for line in lines):
                continue
            lines.append(json.dumps(key | measure(name, data, users, seed)))
            args.out.write_text("\n".join(lines) + "\n")
            print(lines[-1])


if __name__ == "__main__":
    main()
