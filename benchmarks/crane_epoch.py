"""What one epoch of CRANE costs, with the exact attention rebuilt once in it.

Measured, after a warm-up on a tiny graph: the whole epoch (`start_epoch` and every batch of 1024:
forward, loss, backward, Adam), its first step, which rebuilds the item graph through the attention,
the median of the other steps, and the peak memory of the process since its start. Random features
of 4096 and 384 channels, the widths of the Amazon sets, stand in where a folder has none. For two
cores: OMP_NUM_THREADS=2 python -m benchmarks.crane_epoch
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything

from benchmarks.measure import TimedSampler
from crane_pyg.datasets import SyntheticMultimodal, load_dataset, modalities
from crane_pyg.nn.models import CRANE
from crane_pyg.training import TRAINING_DEFAULTS, build_optimizer, train_epoch
from crane_pyg.training.memory import peak_memory_mb

RANDOM_FEATURES = {"visual": 4096, "textual": 384}
TARGETS = {"epoch_s": 55.0, "step_ms": 45.0, "peak_memory_mb": 3 * 1024.0}


def timed_epoch(data: HeteroData, num_rounds: int) -> tuple[float, Tensor]:
    """Seconds of an epoch of the library's training, and of each of its steps."""
    seed_everything(0)
    model = CRANE.from_data(data, num_rounds=num_rounds)
    sampler = TimedSampler(data, TRAINING_DEFAULTS.batch_size)
    row = train_epoch(model, data, sampler, build_optimizer(model, TRAINING_DEFAULTS.lr))
    return row["seconds"], torch.tensor(sampler.seconds)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="baby", help="folder or synthetic preset")
    parser.add_argument("--rounds", type=int, default=1, help="of the attention")
    args = parser.parse_args(argv)

    data = load_dataset(args.data)[0]
    if not modalities(data):
        num_items = data["item"].num_nodes
        for name, width in RANDOM_FEATURES.items():
            data["item"][f"x_{name}"] = torch.randn(num_items, width)
            data["item"][f"{name}_mask"] = torch.ones(num_items, dtype=torch.bool)
    timed_epoch(SyntheticMultimodal("tiny")[0], args.rounds)
    epoch_s, steps = timed_epoch(data, args.rounds)

    record = {
        "benchmark": "crane_epoch",
        "data": Path(args.data).name,
        "users": data["user"].num_nodes,
        "items": data["item"].num_nodes,
        "train_interactions": data["user", "interacts", "item"].num_edges,
        "rounds": args.rounds,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "epoch_s": epoch_s,
        "rebuild_step_s": float(steps[0]),
        "step_ms": 1e3 * statistics.median(steps[1:].tolist()),
        "peak_memory_mb": peak_memory_mb(torch.device("cpu")),
    }
    print(
        f"CRANE, {record['rounds']} round(s), on {record['data']}: {record['users']:,} users, "
        f"{record['items']:,} items, {len(steps)} steps, {record['threads']} thread(s)"
    )
    for name in ("epoch_s", "rebuild_step_s", "step_ms", "peak_memory_mb"):
        target = f"  target {TARGETS[name]:.0f}" if name in TARGETS else ""
        print(f"{name:>16}{record[name]:>10.1f}{target}")
    print(json.dumps(record))


if __name__ == "__main__":
    main()
