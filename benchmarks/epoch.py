"""What one epoch of a model costs as it trains by default, and what comes before its first step.

    OMP_NUM_THREADS=2 python -m benchmarks.epoch FOLDER --set impl=auto --out epoch.jsonl

Measured, after a warm-up on a tiny graph: reading the data; constructing the model, with all that
it computes from them; the whole epoch (`start_epoch` and every step: forward, loss, backward,
Adam), its first step, in which CRANE rebuilds its item graph, and the median of the others; and the
peak memory of the process since its start. Where a folder has no features, random ones of 4096 and
384 channels stand in, the widths of the Amazon sets.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData

from benchmarks.measure import TimedSampler, machine
from crane_pyg.cli.options import add_settings, add_settings_file, given
from crane_pyg.datasets import SyntheticMultimodal, load_dataset, modalities
from crane_pyg.experiments import complete_settings, construct_model, split_settings
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import build_optimizer, train_epoch
from crane_pyg.training.memory import keep_freed_memory, peak_memory_mb
from crane_pyg.training.steps import plan_steps

RANDOM_FEATURES = {"visual": 4096, "textual": 384}


def timed_epoch(data: HeteroData, name: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Seconds until the first step, of an epoch, and of its steps."""
    settings = complete_settings(name, chosen)
    training = split_settings(settings)[1]
    begin = time.perf_counter()
    model = construct_model(name, data, settings, seed=0)
    started = time.perf_counter() - begin
    plan = plan_steps(
        data[USER_TO_ITEM].num_edges, training["batch_size"], training["steps_per_epoch"]
    )
    sampler = TimedSampler(data, plan.batch_size)
    row = train_epoch(
        model,
        data,
        sampler,
        build_optimizer(model, training["lr"] * plan.growth),
        precision=training["precision"],
    )
    return {
        "batch_size": plan.batch_size,
        "steps": len(sampler),
        "construct_s": started,
        "epoch_s": row["seconds"],
        "first_step_s": sampler.seconds[0],
        "step_s": statistics.median(sampler.seconds[1:]),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--model", default="crane")
    add_settings(parser)
    add_settings_file(parser)
    parser.add_argument("--out", type=Path, help="file of JSON lines to add to")
    args = parser.parse_args(argv)

    keep_freed_memory()
    settings = given(args, args.model)
    timed_epoch(SyntheticMultimodal("tiny")[0], args.model, settings)
    begin = time.perf_counter()
    data = load_dataset(args.data)[0]
    read = time.perf_counter() - begin
    if not modalities(data):
        num_items = data["item"].num_nodes
        for name, width in RANDOM_FEATURES.items():
            data["item"][f"x_{name}"] = torch.randn(num_items, width)
            data["item"][f"{name}_mask"] = torch.ones(num_items, dtype=torch.bool)
    record = {
        "data": Path(args.data).name,
        "users": data["user"].num_nodes,
        "items": data["item"].num_nodes,
        "train_interactions": data[USER_TO_ITEM].num_edges,
        "model": args.model,
        "settings": settings,
        **machine(torch.device("cpu")),
        "read_s": read,
        **timed_epoch(data, args.model, settings),
        "peak_memory_mb": peak_memory_mb(torch.device("cpu")),
    }
    print(json.dumps(record))
    if args.out is not None:
        with args.out.open("a") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
