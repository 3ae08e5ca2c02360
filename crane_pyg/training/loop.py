"""One training loop for every model."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything
from tqdm.auto import tqdm

from crane_pyg.choices import check_choice
from crane_pyg.nn.models import Recommender
from crane_pyg.training.checkpoint import Checkpoint
from crane_pyg.training.defaults import TRAINING_DEFAULTS
from crane_pyg.training.epoch import build_optimizer, train_epoch
from crane_pyg.training.evaluation import EvaluationProtocol, Monitor, evaluate
from crane_pyg.training.identity import VERSIONS, describe_model, fingerprint
from crane_pyg.training.memory import peak_memory_mb
from crane_pyg.training.result import FitResult
from crane_pyg.training.sampling import TripletSampler


def fit(
    model: Recommender,
    data: HeteroData,
    *,
    epochs: int = TRAINING_DEFAULTS.epochs,
    batch_size: int = TRAINING_DEFAULTS.batch_size,
    lr: float = TRAINING_DEFAULTS.lr,
    patience: int = TRAINING_DEFAULTS.patience,
    eval_every: int = TRAINING_DEFAULTS.eval_every,
    monitor: Monitor = TRAINING_DEFAULTS.monitor,
    protocol: EvaluationProtocol = "strict",
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
        monitor: the validation score to choose the best epoch by.
        protocol: how validation ranks, see :func:`~crane_pyg.training.evaluate`.
        seed: decides on the sampling and all that is random in the model.
        device: defaults to where the model is.
        checkpoint: file that is rewritten after every epoch; where it exists already, training
            goes on from it, also on another device, or with another ``epochs`` or ``patience``
            that would have come to the same best epoch so far.
        progress: show a progress bar.
        callback: called with each row of the history, once it is saved, and first with those that
            the checkpoint holds already; what it raises ends the training.

    Raises:
        ValueError: if an argument is out of range, a split is empty, the loss is not finite, or the
            checkpoint is damaged, or belongs to a run of another model, other data or arguments.
    """
    check_choice("monitor", monitor, Monitor)
    check_choice("protocol", protocol, EvaluationProtocol)
    counts = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    for name, value in {**counts, "eval_every": eval_every}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1 (got {value})")
    device = torch.device(device) if device is not None else next(model.parameters()).device
    model, data = model.to(device), data.to(device)
    seed_everything(seed)
    generator = torch.Generator(device).manual_seed(seed)
    sampler = TripletSampler.from_data(data, batch_size, generator)
    optimizer = build_optimizer(model, lr)
    result = FitResult(monitor)
    best_state = copy.deepcopy(model.state_dict())
    store = Checkpoint(checkpoint) if checkpoint is not None else None
    identity: dict[str, Any] = {
        "batch_size": batch_size,
        "lr": lr,
        "eval_every": eval_every,
        "monitor": monitor,
        "protocol": protocol,
        "seed": seed,
    }
    if store is not None:
        identity |= {"model": describe_model(model), "data": fingerprint(data)}
        identity["versions"] = VERSIONS
        if store.path.exists():
            best_state = store.load(model, optimizer, generator, result, identity)
            if not result.begins(epochs, patience, eval_every):
                raise ValueError(
                    f"'{store.path}' holds {result.epochs} epochs of another length of training; "
                    f"remove it to start anew (got {epochs=}, {patience=}, {eval_every=})"
                )
            if callback is not None:
                for row in result.history:
                    callback(row)

    bar = tqdm(total=epochs, initial=result.epochs, disable=not progress, unit="epoch")
    with bar:
        while result.epochs < epochs and result.evaluations_since_best < patience:
            epoch = result.epochs + 1
            row = {"epoch": float(epoch), **train_epoch(model, data, sampler, optimizer)}
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
                store.save(model, optimizer, generator, result, identity, best_state)
            bar.update()
            bar.set_postfix({"loss": f"{row['loss']:.4f}", monitor: f"{result.best_score:.4f}"})
            if callback is not None:
                callback(row)
    model.load_state_dict(best_state)
    model.eval()
    return result
