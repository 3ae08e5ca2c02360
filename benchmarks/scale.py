"""What training costs as the data grow, from 10^5 to 10^7 interactions, and by which power.

    python -m benchmarks.scale --sizes 1e5 3e5 1e6 3e6 1e7 --out scale

Drawn sets of a tenth as many users, and as many items, as interactions, with two modalities. Each
size and model runs in a process of its own, which measures: `start`, constructing the model;
`first`, an epoch of one step, which sorts the graph and fills the optimiser's memory once and for
all; then of another epoch `rebuild`, the first step, less a median one; `step`, the median of some
that follow; `epoch`, rebuild and median over all steps, drawing them included; `evaluation` of
10,000 users; and the peak of the process, features included. `pyg` is LightGCN of PyG, with its own
loss, in batches of 1024, the fastest way that it offers to walk the graph. `copy` is how fast this
machine adds two arrays, in the same process, and `share` what of that the sparse products of a step
reach, by the bytes that they must move. One JSON line per size and model in `--out`.jsonl (those
there are not measured again), exponents fitted to the upper half of the sizes on standard output, a
picture beside them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData
from torch_geometric.nn.models import LightGCN as PyGLightGCN
from torch_geometric.seed import seed_everything

from benchmarks.figure import COLORS, MARKERS, panels
from benchmarks.measure import TimedSampler, fresh_process, machine, resident_peak, upper_slope
from benchmarks.sweep import read
from crane_pyg.datasets.hetero import build_hetero_data
from crane_pyg.experiments import construct_model
from crane_pyg.nn.models import Recommender
from crane_pyg.ops import spmm
from crane_pyg.schema import USER_TO_ITEM, sizes
from crane_pyg.training import (
    TRAINING_DEFAULTS,
    TripletSampler,
    build_optimizer,
    evaluate,
    train_epoch,
)
from crane_pyg.training.memory import keep_freed_memory
from crane_pyg.training.steps import plan_steps

MODELS: dict[str, dict[str, Any]] = {
    "lightgcn": {},
    "crane": {},
    "crane exact": {"impl": "auto"},
    "pyg": {},
}
STEPS = 5  # timed, behind the first
EVAL_USERS = 10_000
COLUMNS = ("start_s", "rebuild_s", "step_s", "epoch_s", "evaluation_s", "peak_gb")


def draw(interactions: int, width: int, seed: int = 0) -> HeteroData:
    """Users who take items of their own group, the popular more often; features show the group."""
    rng = np.random.default_rng(seed)
    count, groups = interactions // 10, 50
    user = rng.integers(count, size=interactions, dtype=np.int64)
    popular = (rng.random(interactions) ** 2 * (count // groups)).astype(np.int64)
    group = np.where(
        rng.random(interactions) < 0.7, user % groups, rng.integers(groups, size=interactions)
    )
    item = np.minimum(popular * groups + group, count - 1)
    pairs = torch.from_numpy(np.unique(user * count + item))
    edges = torch.stack([pairs // count, pairs % count])
    label = torch.from_numpy(rng.choice(3, edges.size(1), p=[0.8, 0.1, 0.1]))
    centre = torch.from_numpy(rng.standard_normal((groups, width), np.float32))
    features = {}
    for name in ("image", "text"):
        x = torch.from_numpy(rng.standard_normal((count, width), np.float32))
        for start in range(0, count, groups):  # an item's group is its number's remainder
            x[start : start + groups] += centre[: len(x[start : start + groups])]
        features[name] = x
    return build_hetero_data(edges, label, num_users=count, num_items=count, features=features)


def copied() -> float:
    """Bytes a second that adding two arrays moves."""
    a, b = torch.ones(2, 32_000_000)
    out = torch.empty_like(a)
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        torch.add(a, b, out=out)
        seconds.append(time.perf_counter() - begin)
    return 3 * a.nbytes / min(seconds)


def product_share(model: Recommender, data: HeteroData, speed: float) -> float:
    """What a product from users to items reaches of the machine's speed, by what it must move: a
    row for each edge, a row for each item, and the graph."""
    graph, _ = model.user_item_graphs(data)
    x = torch.randn(graph.num_src, 64)
    spmm(graph, x)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        spmm(graph, x)
        seconds.append(time.perf_counter() - begin)
    moved = 4 * 64 * (graph.col.numel() + graph.num_dst) + 8 * graph.col.numel()
    return moved / min(seconds) / speed


def measure(interactions: int, name: str, width: int, threads: int) -> dict[str, Any]:
    """Of one model at one size; runs in a process that did nothing else."""
    torch.set_num_threads(threads)
    data = draw(interactions, width)
    record: dict[str, Any] = {"interactions": interactions, "model": name, "width": width}
    record |= {"train_interactions": data[USER_TO_ITEM].num_edges, **machine(torch.device("cpu"))}
    if name == "pyg":
        return record | rival(data)
    begin = time.perf_counter()
    model = construct_model(name.split()[0], data, MODELS[name], 0)
    record["start_s"] = time.perf_counter() - begin
    keep_freed_memory()  # as training does, once the model is there
    batch = TRAINING_DEFAULTS.batch_size
    plan = plan_steps(data[USER_TO_ITEM].num_edges, batch, TRAINING_DEFAULTS.steps_per_epoch)
    begin = time.perf_counter()
    optimizer = build_optimizer(model, 1e-3)
    train_epoch(model, data, TimedSampler(data, plan.batch_size, 1), optimizer)
    record["first_s"] = time.perf_counter() - begin
    sampler = TimedSampler(data, plan.batch_size, 1 + STEPS)
    begin = time.perf_counter()
    train_epoch(model, data, sampler, optimizer)
    drawn = sampler.started - begin
    step = statistics.median(sampler.seconds[1:])
    count = TripletSampler.__len__(sampler)
    record |= {"batch_size": plan.batch_size, "steps": count, "step_s": step}
    record["rebuild_s"] = max(0.0, sampler.seconds[0] - step)
    record["epoch_s"] = drawn + record["rebuild_s"] + count * step
    begin = time.perf_counter()
    record["ndcg"] = evaluate(model, data, "test", max_users=EVAL_USERS)["NDCG@20"]
    record["evaluation_s"] = time.perf_counter() - begin
    record["peak_gb"] = resident_peak() / 2**30  # what follows takes memory of its own
    speed = copied()
    record |= {"copy_gb_s": speed / 1e9, "share": product_share(model, data, speed)}
    return record


def rival(data: HeteroData) -> dict[str, Any]:
    """LightGCN of PyG on one graph of users and items together."""
    seed_everything(0)
    num_users, num_items = sizes(data)
    begin = time.perf_counter()
    user, item = data[USER_TO_ITEM].edge_index
    edges = torch.cat(
        [torch.stack([user, item + num_users]), torch.stack([item + num_users, user])], 1
    )
    model = PyGLightGCN(num_users + num_items, 64, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    sampler = TimedSampler(data, TRAINING_DEFAULTS.batch_size, 1 + STEPS)
    start = time.perf_counter() - begin
    for user, pos, neg in sampler:
        optimizer.zero_grad()
        ends = torch.stack([user.repeat(2), torch.cat([pos, neg]) + num_users])
        score = model(edges, ends)
        nodes = torch.cat([user, pos + num_users, neg + num_users]).unique()
        model.recommendation_loss(*score.chunk(2), node_id=nodes).backward()
        optimizer.step()
    step, count = statistics.median(sampler.seconds[1:]), TripletSampler.__len__(sampler)
    seconds = {"start_s": start, "step_s": step, "steps": count, "epoch_s": step * count}
    return seconds | {"peak_gb": resident_peak() / 2**30}


def table(records: Sequence[dict[str, Any]]) -> str:
    """A line for each model and size, and the exponents below them."""
    lines = [f"{'model':>12}{'interactions':>14}" + "".join(f"{name:>14}" for name in COLUMNS)]
    for name in MODELS:
        rows = sorted((r for r in records if r["model"] == name), key=lambda r: r["interactions"])
        for row in rows:
            cells = "".join(f"{row[c]:>14.2f}" if c in row else f"{'':>14}" for c in COLUMNS)
            lines.append(f"{name:>12}{row['interactions']:>14,}" + cells)
        if len(rows) > 1:
            at = [row["interactions"] for row in rows]
            powers = [upper_slope(at, [row.get(c, 0.0) for row in rows]) for c in COLUMNS]
            cells = "".join(f"{'' if p is None else f'{p:.2f}':>14}" for p in powers)
            lines.append(f"{name:>12}{'exponent':>14}" + cells)
    return "\n".join(lines)


def picture(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds of an epoch and the peak, against interactions."""
    with panels(path, 2, (6.9, 2.6)) as (_, axes):
        for axis, column in zip(axes, ("epoch_s", "peak_gb"), strict=True):
            for name, color, marker in zip(MODELS, COLORS, MARKERS, strict=False):
                rows = [row for row in records if row["model"] == name]
                if not rows:
                    continue
                rows.sort(key=lambda row: row["interactions"])
                points = [[row[c] for row in rows] for c in ("interactions", column)]
                axis.plot(*points, color=color, marker=marker, label=name)
            axis.set_xlabel("interactions")
        axes[0].set_ylabel("seconds of an epoch")
        axes[1].set_ylabel("peak memory (GB)")
        axes[0].legend()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e5, 3e5, 1e6, 3e6, 1e7])
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["lightgcn", "crane"])
    parser.add_argument("--width", type=int, default=128, help="channels of each modality")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="path without an ending")
    args = parser.parse_args(argv)
    path = args.out.with_suffix(".jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    for size in (round(size) for size in args.sizes):
        for name in args.models:
            key = {"interactions": size, "model": name, "width": args.width}
            if any(all(row[k] == v for k, v in key.items()) for row in read(path)):
                continue
            with fresh_process() as pool:
                record = pool.submit(measure, size, name, args.width, args.threads).result()
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
    records = [row for row in read(path) if row["width"] == args.width]
    print(table(records))
    picture(records, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
