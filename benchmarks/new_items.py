"""What items that nobody has taken are ranked like: added to an artefact, beside content and count.

    OMP_NUM_THREADS=1 python -m benchmarks.new_items DATA --out new_items.jsonl

A tenth of the items loses all its interactions (``--split cold``: half of them for val, half for
test). ``added``: the model trains without these items and they are added to its artefact;
``content kNN``: ``itemknn`` with ``by=content``; ``popular``; ``chance``: what a random order comes
to. Recall@20, once with the whole catalogue ranked, where the new items compete with those that
everybody knows, and once among the new items alone. ``content_weight`` is chosen on validation, by
each of the two. One line per model; what stands in the file already is not run again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.new_users import SPLITS, K, edges_of, recall, train
from crane_pyg.datasets import build_hetero_data, load_dataset
from crane_pyg.export import export_model
from crane_pyg.nn.models import ItemKNN
from crane_pyg.schema import USER_TO_ITEM, modalities, sizes
from crane_pyg.serving import Recommender

WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def without_items(data: HeteroData, kept: Tensor) -> HeteroData:
    """The data with some of the items alone, numbered anew; a random tenth of the pairs is for val.

    The cold split has its validation among the items that go, and training needs one to stop by.
    """
    pairs, label = edges_of(data)
    number = torch.full((data["item"].num_nodes,), -1)
    number[kept] = torch.arange(kept.numel())
    inside = (label == 0) & (number[pairs[1]] >= 0)
    pairs = torch.stack([pairs[0], number[pairs[1]]])[:, inside]
    draw = torch.rand(pairs.size(1), generator=torch.Generator().manual_seed(0))
    names = modalities(data)
    return build_hetero_data(
        pairs,
        (draw < 0.1).long(),
        num_users=data["user"].num_nodes,
        num_items=kept.numel(),
        features={m: data["item"][f"x_{m}"][kept] for m in names},
        masks={m: data["item"][f"{m}_mask"][kept] for m in names},
    )


def added(name: str, data: HeteroData, cold: Tensor, seed: int) -> tuple[Recommender, float]:
    """The artefact of a model that has not seen the cold items, with these added."""
    is_cold = torch.isin(torch.arange(data["item"].num_nodes), cold)
    kept = (~is_cold).nonzero().view(-1)
    shop, seconds = train(name, without_items(data, kept), seed, [str(i) for i in kept.tolist()])
    features = {
        m: (data["item"][f"x_{m}"] * data["item"][f"{m}_mask"].unsqueeze(1))[cold].numpy()
        for m in modalities(data)
    }
    return shop.add_items(features, [str(i) for i in cold.tolist()]), seconds


def content_knn(data: HeteroData) -> Recommender:
    model = ItemKNN.from_data(data, by="content")
    model.solve(data)
    users, items = ([str(number) for number in range(size)] for size in sizes(data))
    with tempfile.TemporaryDirectory() as folder:
        export_model(model, data, folder, user_ids=users, item_ids=items)
        return Recommender.load(folder)


def measure(
    shop: Recommender, data: HeteroData, cold: Tensor, weights: tuple[float, ...], popular: bool
) -> dict[str, dict[str, float]]:
    """Recall@20 of val and test, the weight of content chosen on val, by what is ranked."""
    store = data[USER_TO_ITEM]
    found: dict[str, dict[str, float]] = {}
    for among, whitelist in (("all", None), ("new", [str(item) for item in cold.tolist()])):

        def scores(split: str, weight: float, items: list[str] | None = whitelist) -> float:
            users = store[f"{split}_edge_label_index"][0].unique()
            return recall(
                lambda user, history, out: shop.recommend(
                    "nobody" if popular else str(user),
                    K,
                    filter_seen=False,
                    exclude=out,
                    items=items,
                    unknown="popular",
                    content_weight=weight or None,
                ),
                data,
                users,
                split,
            )

        val = {weight: scores("val", weight) for weight in weights}
        best = max(val, key=val.__getitem__)
        found[among] = {"content_weight": best, "val": val[best], "test": scores("test", best)}
        if best:
            found[among]["test without content_weight"] = scores("test", 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--models", default="popular,content kNN,crane")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data, split="cold", seed=args.seed)
    data = dataset[0]
    store = data[USER_TO_ITEM]
    held_out = [store[f"{split}_edge_label_index"][1] for split in SPLITS]
    cold = torch.cat(held_out).unique()
    lines = args.out.read_text().splitlines() if args.out.is_file() else []
    for name in args.models.split(","):
        key = {"data": dataset.name, "model": name, "seed": args.seed, "new items": cold.numel()}
        if any(key.items() <= json.loads(line).items() for line in lines):
            continue
        seconds = 0.0
        if name in ("popular", "content kNN"):
            shop, weights = content_knn(data), (0.0,)
        else:
            (shop, seconds), weights = added(name, data, cold, args.seed), WEIGHTS
        scores = measure(shop, data, cold, weights, name == "popular")
        chance = K / cold.numel()
        record = key | {"chance among new": round(chance, 4), "train seconds": round(seconds, 1)}
        lines.append(json.dumps(record | {"scores": scores}))
        args.out.write_text("\n".join(lines) + "\n")
        print(lines[-1])


if __name__ == "__main__":
    main()
