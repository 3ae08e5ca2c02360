"""What it takes to keep up: go on, train anew, fold in alone, or do nothing, part after part.

    OMP_NUM_THREADS=1 python -m benchmarks.updates DATA --model crane --out updates.jsonl

The training pairs come in random order: 80% first, then four parts of 5%, with users and items that
are new in each. After every part the four ways are measured on the same test pairs, those of users
and items that training knows in the end; protocol ``strict``, Recall@20 and NDCG@20, means over
users, and the seconds of training (from the second on a machine's own work counts, too: compare
within a line). ``nothing``: the model of the first 80%, users whom it does not know get what is
popular. ``fold-in``: the same model; who has taken something since is served by what they took, and
new items are added from their features. ``update``: the model before, grown, and ``--epochs`` over
everything. ``retrain``: from nothing, with early stopping. One line per part.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.new_users import K, edges_of
from crane_pyg.datasets import build_hetero_data, load_dataset
from crane_pyg.experiments import complete_settings, construct_model, split_settings
from crane_pyg.export import export_model
from crane_pyg.nn.models import MODELS, Recommender
from crane_pyg.schema import modalities, sizes
from crane_pyg.serving import Ranking
from crane_pyg.serving import Recommender as Shop
from crane_pyg.training import fit
from crane_pyg.training.growth import grow

FIRST, PARTS = 0.8, 4


class Stream(NamedTuple):
    """Pairs in the order in which they come, users and items numbered as they appear.

    Args:
        train: ``[2, E]``.
        held_out: pairs of val and of test.
        features, masks: of the items, by modality.
    """

    train: Tensor
    held_out: list[Tensor]
    features: dict[str, Tensor]
    masks: dict[str, Tensor]

    def until(self, count: int) -> HeteroData:
        """The graph after so many pairs."""
        train = self.train[:, :count]
        num_users, num_items = (int(row.max()) + 1 for row in train)
        known = [
            pairs[:, (pairs[0] < num_users) & (pairs[1] < num_items)] for pairs in self.held_out
        ]
        pairs = torch.cat([train, *known], dim=1)
        sizes_of = torch.tensor([count, *(part.size(1) for part in known)])
        return build_hetero_data(
            pairs,
            torch.arange(3).repeat_interleave(sizes_of),
            num_users=num_users,
            num_items=num_items,
            features={m: x[:num_items] for m, x in self.features.items()},
            masks={m: mask[:num_items] for m, mask in self.masks.items()},
        )


def stream_of(data: HeteroData, seed: int) -> Stream:
    """The training pairs in random order."""
    pairs, label = edges_of(data)
    train = pairs[:, label == 0]
    train = train[:, torch.randperm(train.size(1), generator=torch.Generator().manual_seed(seed))]
    numbers, orders = [], []
    for row, size in zip(train, sizes(data), strict=True):
        order = torch.tensor(list(dict.fromkeys(row.tolist())))
        numbers.append(torch.full((size,), -1).scatter_(0, order, torch.arange(len(order))))
        orders.append(order)

    def renumbered(part: Tensor) -> Tensor:
        found = torch.stack([number[row] for number, row in zip(numbers, part, strict=True)])
        return found[:, (found >= 0).all(0)]

    return Stream(
        renumbered(train),
        [renumbered(pairs[:, label == split]) for split in (1, 2)],
        {m: data["item"][f"x_{m}"][orders[1]] for m in modalities(data)},
        {m: data["item"][f"{m}_mask"][orders[1]] for m in modalities(data)},
    )


def shop_of(model: Recommender, data: HeteroData) -> Shop:
    users, items = ([str(number) for number in range(size)] for size in sizes(data))
    with tempfile.TemporaryDirectory() as folder:
        export_model(model, data, folder, user_ids=users, item_ids=items)
        return Shop.load(folder)


def with_new_items(shop: Shop, stream: Stream, num_items: int) -> Shop:
    """The shop with the items up to a number, added from their features."""
    old = len(shop.item_ids)
    if num_items == old:
        return shop
    rows = slice(old, num_items)
    features = {
        m: (x[rows] * stream.masks[m][rows, None]).numpy() for m, x in stream.features.items()
    }
    return shop.add_items(features, [str(number) for number in range(old, num_items)])


def quality(shop: Shop, stream: Stream, count: int, changed: set[int] | None) -> dict[str, float]:
    """Recall@20 and NDCG@20 of all users with test pairs.

    Args:
        shop: who answers.
        stream: of the pairs.
        count: how many pairs have come; they and those of val are left out of rankings.
        changed: users who are served by their history; ``None`` where the shop knows it.
    """
    history, val, test = (_by_user(p) for p in (stream.train[:, :count], *stream.held_out))
    known = set(shop.item_ids)
    recalls, gains = [], []
    for user, truth in test.items():
        taken = [str(item) for item in history.get(user, []) if str(item) in known]
        out = [*taken, *(str(i) for i in val.get(user, []) if str(i) in known)]
        if changed is not None and user in changed and taken:
            found: Ranking = shop.recommend_for_history(taken, K, filter_seen=False, exclude=out)
        else:
            found = shop.recommend(str(user), K, filter_seen=False, exclude=out, unknown="popular")
        wanted = {str(item) for item in truth}
        hits = [place for place, item in enumerate(found.ids) if item in wanted]
        recalls.append(len(hits) / len(wanted))
        ideal = sum(1 / math.log2(place + 2) for place in range(min(K, len(wanted))))
        gains.append(sum(1 / math.log2(place + 2) for place in hits) / ideal)
    mean = {"Recall@20": sum(recalls) / len(recalls), "NDCG@20": sum(gains) / len(gains)}
    return {name: round(value, 5) for name, value in mean.items()}


def _by_user(pairs: Tensor) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for user, item in pairs.T.tolist():
        found.setdefault(user, []).append(item)
    return found


def trained(name: str, data: HeteroData, seed: int) -> tuple[Recommender, float]:
    """A model from nothing, with its defaults, and the seconds of all of it."""
    settings, start = complete_settings(name), time.perf_counter()
    model = construct_model(name, data, settings, seed)
    fit(model, data, **split_settings(settings)[1], seed=seed, progress=False)
    return model, time.perf_counter() - start


def updated(
    name: str, old: Recommender, before: HeteroData, data: HeteroData, seed: int, epochs: int
) -> tuple[Recommender, float]:
    """The model that goes on, and the seconds of all of it."""
    settings, start = complete_settings(name), time.perf_counter()
    own, training = split_settings(settings)
    model = MODELS[name].skeleton(data, **own | dict(old.resolved))
    model.resolved = old.resolved
    grow(old, model, sizes(before), data)
    fit(
        model,
        data,
        **training | {"epochs": epochs, "patience": epochs},
        seed=seed,
        progress=False,
    )
    return model, time.perf_counter() - start


def measure(
    name: str, stream: Stream, seed: int, epochs: int, parts: Sequence[int]
) -> list[dict[str, object]]:
    """The four ways, after each part."""
    total = stream.train.size(1)
    counts = [round(total * (FIRST + (1 - FIRST) * part / PARTS)) for part in range(PARTS + 1)]
    data = stream.until(counts[0])
    model, seconds = trained(name, data, seed)
    base = shop_of(model, data)
    start = quality(base, stream, counts[0], None)
    lines: list[dict[str, object]] = [{"part": 0, "train": start | {"seconds": round(seconds, 1)}}]
    print(json.dumps(lines[-1]), flush=True)
    for part in range(1, PARTS + 1):
        before, data = data, stream.until(counts[part])
        model, seconds = updated(name, model, before, data, seed, epochs)
        line: dict[str, object] = {"part": part, "users": data["user"].num_nodes}
        line["nothing"] = quality(base, stream, counts[part], None)
        changed = set(stream.train[0, counts[0] : counts[part]].tolist())
        grown = with_new_items(base, stream, data["item"].num_nodes)
        line["fold-in"] = quality(grown, stream, counts[part], changed)
        shop = shop_of(model, data)
        line["update"] = quality(shop, stream, counts[part], None) | {"seconds": round(seconds, 1)}
        if part in parts:
            anew, seconds = trained(name, data, seed)
            found = quality(shop_of(anew, data), stream, counts[part], None)
            line["retrain"] = found | {"seconds": round(seconds, 1)}
        lines.append(line)
        print(json.dumps(line), flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--model", default="crane")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5, help="of an update")
    parser.add_argument(
        "--retrain", type=int, nargs="*", default=[1, 2, 3, 4], help="after which parts"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = load_dataset(args.data)
    stream = stream_of(dataset[0], args.seed)
    lines = measure(args.model, stream, args.seed, args.epochs, args.retrain)
    key = {"data": dataset.name, "model": args.model, "seed": args.seed, "epochs": args.epochs}
    args.out.write_text("".join(json.dumps(key | line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
