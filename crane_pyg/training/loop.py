"""One training loop for every model."""

import contextlib
import copy
import ctypes
import gc
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything
from tqdm.auto import tqdm

from crane_pyg.nn.models import Recommender
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training.checkpoint import Checkpoint
from crane_pyg.training.evaluation import evaluate
from crane_pyg.training.sampling import TripletSampler

MONITORS = ("Recall@20", "Recall@10", "NDCG@20", "NDCG@10")


@dataclass
class FitResult:
    """What :func:`fit` leaves behind, beside the trained model.

    Attributes:
        history: one row per epoch: its number, each loss term (mean over batches), training
            seconds and validation scores (absent where the epoch was not evaluated).
        best_epoch: the epoch whose weights the model holds, from 1.
        best_score: its validation score.
        monitor: the name of that score.
        peak_memory_mb: of the process on a CPU, of the allocator on CUDA.
    """

    monitor: str = "Recall@20"
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    peak_memory_mb: float = 0.0

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def evaluations_since_best(self) -> int:
        return sum(self.monitor in row for row in self.history[self.best_epoch :])

    @property
    def seconds_per_epoch(self) -> float:
        """Median training time of an epoch, evaluation left out."""
        return float(self.to_frame()["seconds"].median())

    def to_frame(self) -> pd.DataFrame:
        """The history as a table indexed by epoch; ``result.to_frame().plot()`` draws it."""
        return pd.DataFrame(self.history).set_index("epoch")


def fit(
    model: Recommender,
    data: HeteroData,
    *,
    epochs: int = 250,
    batch_size: int = 1024,
    lr: float = 1e-3,
    patience: int = 5,
    eval_every: int = 1,
    monitor: str = "Recall@20",
    protocol: str = "strict",
    seed: int = 0,
    device: torch.device | str | None = None,
    checkpoint: Path | str | None = None,
    progress: bool = True,
    callback: Callable[[dict[str, float]], None] | None = None,
) -> FitResult:
    """Train with Adam on sampled triplets, stop early on validation, keep the best weights.

    Two runs with one seed are identical bit for bit on a CPU with the same number of threads, also
    where one of them was killed and resumed. Seeds torch's global random state.

    Args:
        model: trained in place; ends in evaluation mode with its best weights.
        data: the graph; moved to ``device``.
        epochs: upper limit.
        batch_size: interactions per step.
        lr: Adam's learning rate.
        patience: evaluations without a better score before training stops.
        eval_every: epochs between evaluations; the last epoch is always evaluated.
        monitor: the validation score to choose by: ``'Recall@20'``, ``'Recall@10'``,
            ``'NDCG@20'`` or ``'NDCG@10'``.
        protocol: see :func:`~crane_pyg.training.evaluate`.
        seed: of sampling and of everything random in the model.
        device: defaults to where the model is.
        checkpoint: file that is rewritten after every epoch; where it exists already, training
            goes on from it, also with another ``epochs`` or ``patience``.
        progress: show a progress bar.
        callback: called with each new row of the history, once it is saved; what it raises ends the
            training.

    Raises:
        ValueError: if an argument is out of range, a split is empty, the loss is not finite, or the
            checkpoint belongs to a run with other arguments.
    """
    if monitor not in MONITORS:
        raise ValueError(f"monitor must be one of {', '.join(MONITORS)} (got {monitor!r})")
    counts = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    for name, value in {**counts, "eval_every": eval_every}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1 (got {value})")
    device = torch.device(device) if device is not None else next(model.parameters()).device
    model, data = model.to(device), data.to(device)
    seed_everything(seed)
    generator = torch.Generator(device).manual_seed(seed)
    sampler = TripletSampler(
        data[USER_TO_ITEM].edge_index, data["item"].num_nodes, batch_size, generator
    )
    optimizer = torch.optim.Adam(model.parameter_groups(lr), fused=True)
    result = FitResult(monitor)
    best_state = copy.deepcopy(model.state_dict())
    store = Checkpoint(checkpoint) if checkpoint is not None else None
    settings: dict[str, Any] = {
        "batch_size": batch_size,
        "lr": lr,
        "eval_every": eval_every,
        "monitor": monitor,
        "protocol": protocol,
        "seed": seed,
    }
    if store is not None and store.path.exists():
        best_state = store.load(model, optimizer, generator, result, settings)

    bar = tqdm(total=epochs, initial=result.epochs, disable=not progress, unit="epoch")
    with bar:
        while result.epochs < epochs and result.evaluations_since_best < patience:
            epoch = result.epochs + 1
            row = {"epoch": float(epoch), **_train_epoch(model, data, sampler, optimizer)}
            if not math.isfinite(row["loss"]):
                raise ValueError(f"the loss is not finite in epoch {epoch} (got {row['loss']})")
            if epoch % eval_every == 0 or epoch == epochs:
                row |= evaluate(model, data, "val", protocol=protocol)
                if row[monitor] > result.best_score:
                    result.best_epoch, result.best_score = epoch, row[monitor]
                    best_state = copy.deepcopy(model.state_dict())
            result.history.append(row)
            result.peak_memory_mb = max(result.peak_memory_mb, peak_memory_mb(device))
            if store is not None:
                store.save(model, optimizer, generator, result, settings, best_state)
            bar.update()
            bar.set_postfix({"loss": f"{row['loss']:.4f}", monitor: f"{result.best_score:.4f}"})
            if callback is not None:
                callback(row)
    model.load_state_dict(best_state)
    model.eval()
    return result


def _train_epoch(
    model: Recommender,
    data: HeteroData,
    sampler: TripletSampler,
    optimizer: torch.optim.Optimizer,
) -> dict[str, float]:
    """One pass over the interactions; the mean of each loss term and the seconds it took."""
    start = time.perf_counter()
    model.train()
    model.start_epoch(data)
    totals: dict[str, Tensor] = {}
    for user, pos, neg in sampler:
        optimizer.zero_grad()
        terms = model.loss(data, user, pos, neg)
        loss = torch.stack(list(terms.values())).sum()
        torch.autograd.backward(loss)
        optimizer.step()
        for name, value in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, 0) + value.detach()
    means = {name: float(total) / len(sampler) for name, total in totals.items()}
    return means | {"seconds": time.perf_counter() - start}


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory so far: of the allocator on CUDA, of the whole process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak_memory(device: torch.device) -> None:
    """Let the peak start anew, where CUDA or Linux can; elsewhere it stays the process's."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a closed /proc, another C library
            ctypes.CDLL(None).malloc_trim(0)  # what an earlier run freed would count
            Path("/proc/self/clear_refs").write_text("5")
