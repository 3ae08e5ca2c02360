"""One training loop for every model."""

import copy
import itertools
import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything

from crane_pyg import ranks
from crane_pyg.choices import check_choice
from crane_pyg.nn.models import Recommender, SolvedRecommender
from crane_pyg.nn.scorer import Scorer
from crane_pyg.ranges import check_range
from crane_pyg.training.averaging import AveragedWeights
from crane_pyg.training.callbacks import Callback
from crane_pyg.training.checkpoint import Checkpoint
from crane_pyg.training.defaults import Precision, training_settings
from crane_pyg.training.division import divide, replicated
from crane_pyg.training.epoch import build_optimizer, solve_epoch, train_epoch
from crane_pyg.training.evaluation import (
    EvaluationProtocol,
    Monitor,
    evaluate,
    evaluate_scorers,
    monitored,
)
from crane_pyg.training.identity import VERSIONS, describe_model, fingerprint
from crane_pyg.training.memory import keep_freed_memory, peak_memory_mb
from crane_pyg.training.progress import Progress
from crane_pyg.training.result import FitResult
from crane_pyg.training.sampling import TripletSampler
from crane_pyg.training.steps import Schedule, plan_steps


def fit(
    model: Recommender,
    data: HeteroData,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    lr: float | None = None,
    decay_epochs: float | None = None,
    patience: int | None = None,
    eval_every: int | None = None,
    monitor: Monitor | None = None,
    eval_users: int | None = None,
    average_epochs: float | None = None,
    precision: Precision | None = None,
    protocol: EvaluationProtocol = "strict",
    seed: int = 0,
    device: torch.device | str | None = None,
    checkpoint: Path | str | None = None,
    progress: bool = True,
    callback: Callback | None = None,
) -> FitResult:
    """Train with Adam on sampled triplets, stop early on validation, keep the best weights.

    A :class:`~crane_pyg.nn.models.SolvedRecommender` solves where others descend, as often as it
    says. What a model chooses after training (:meth:`~crane_pyg.nn.models.Recommender.calibrate`)
    it chooses on validation, too: by the geometric mean of Recall and NDCG at the cut-off of
    ``monitor``, for one of them alone is easily bought with the other.

    What is not given is as :func:`~crane_pyg.training.training_settings` has it for the model.

    Two runs with one seed are identical bit for bit on a CPU with the same number of threads, also
    where one of them was killed and resumed. Seeds torch's global random state.

    Within :func:`~crane_pyg.ranks.together` all ranks call this with the same arguments, and train
    one model: each ends with its columns of the embeddings. :func:`evaluate`, :func:`recommend` and
    :func:`save_model` take it as it is.

    Args:
        model: trained in place; ends in evaluation mode with its best weights.
        data: the graph; moved to ``device``.
        epochs: upper limit.
        batch_size: interactions per step; users, for a model that reads their whole histories.
        steps_per_epoch: the most steps of an epoch; where there would be more, the batch grows, and
            the learning rate with it, see :func:`~crane_pyg.training.steps.plan_steps`. Without a
            limit where ``batch_size`` alone is given.
        lr: Adam's learning rate.
        decay_epochs: over how many epochs the learning rate falls to a tenth, where it stays, see
            :class:`~crane_pyg.training.steps.Schedule`; 0 leaves it.
        patience: evaluations without a better score before training stops.
        eval_every: epochs between evaluations; the last epoch is always evaluated.
        monitor: the validation score to choose the best epoch by; ``'GMean@20'`` is the geometric
            mean of Recall and NDCG.
        eval_users: of more users with validation items, rank so many, always the same ones.
        average_epochs: over how many epochs of steps the weights are averaged that are validated
            and kept, see :class:`~crane_pyg.training.averaging.AveragedWeights`; 0 keeps the last.
        precision: in which the loss multiplies matrices and reads neighbours; in ``"bfloat16"``
            weights and sums stay in single precision.
        protocol: how validation ranks, see :func:`~crane_pyg.training.evaluate`.
        seed: decides on the sampling and all that is random in the model.
        device: defaults to where the model is.
        checkpoint: file that is rewritten after every epoch; where it exists already, training
            goes on from it, also on another device, or with another ``epochs`` or ``patience``
            that would have come to the same best epoch so far.
        progress: show how far it is: a bar on a terminal or in a notebook, elsewhere a line per
            epoch on standard error.
        callback: called with each row of the history, once it is saved, and first with those that
            the checkpoint holds already; training stops where it returns true, and what it raises
            ends it. :func:`~crane_pyg.training.open_tracker` makes one that TensorBoard and others
            draw from; :func:`~crane_pyg.training.call_each` makes one of several.

    Raises:
        ValueError: if an argument is out of range, a split is empty, the loss or a score is not
            finite, or the checkpoint is damaged, or belongs to a run of another model, other data
            or arguments.
    """
    settings = training_settings(
        model,
        epochs=epochs,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        lr=lr,
        decay_epochs=decay_epochs,
        patience=patience,
        eval_every=eval_every,
        monitor=monitor,
        eval_users=eval_users,
        average_epochs=average_epochs,
        precision=precision,
    )
    (
        epochs,
        batch_size,
        steps_per_epoch,
        lr,
        decay_epochs,
        patience,
        eval_every,
        monitor,
        eval_users,
        average_epochs,
        precision,
    ) = settings
    check_choice("monitor", monitor, Monitor)
    check_choice("precision", precision, Precision)
    check_choice("protocol", protocol, EvaluationProtocol)
    for name, value in settings._asdict().items():
        check_range(name, value)
    if device is None:
        device = next(itertools.chain(model.parameters(), model.buffers())).device
    device = torch.device(device)
    divide(model)
    model, data = model.to(device), data.to(device)
    keep_freed_memory()
    seed_everything(seed)
    generator = torch.Generator(device).manual_seed(seed)
    optimizer = schedule = average = None
    if isinstance(model, SolvedRecommender):
        epochs = min(epochs, model.passes or epochs)
        run_epoch = partial(solve_epoch, model, data)
    else:
        sampler = TripletSampler.from_data(
            data,
            batch_size,
            generator,
            once_per_user=model.reads_histories,
            among_taken=model.scores_unseen,
        )
        steps = plan_steps(sampler.num_rows, batch_size, steps_per_epoch)
        sampler.batch_size = steps.batch_size
        optimizer = build_optimizer(model, lr * steps.growth)
        schedule = Schedule(optimizer, steps.warm_up, decay_epochs * len(sampler))
        if average_epochs:
            average = AveragedWeights(model, average_epochs * len(sampler))
            optimizer.register_step_post_hook(average.update)
        run_epoch = partial(train_epoch, model, data, sampler, optimizer, schedule, precision)
    ranking: dict[str, Any] = {"protocol": protocol, "max_users": eval_users}
    result = FitResult(monitor)
    best_state = copy.deepcopy(model.state_dict())
    is_stopped = False
    store = Checkpoint(checkpoint) if checkpoint is not None else None
    identity: dict[str, Any] = {
        "batch_size": batch_size,
        "steps_per_epoch": steps_per_epoch,
        "lr": lr,
        "decay_epochs": decay_epochs,
        "eval_every": eval_every,
        "monitor": monitor,
        "eval_users": eval_users,
        "average_epochs": average_epochs,
        "precision": precision,
        "protocol": protocol,
        "seed": seed,
    }
    if store is not None:
        identity |= {"model": describe_model(model), "data": fingerprint(data)}
        identity["versions"] = VERSIONS
    ranks.check_alike("data and settings", identity)
    if store is not None and store.path.exists():
        best_state = store.load(model, optimizer, average, generator, result, identity)
        if schedule is not None:
            schedule.done = result.epochs * len(sampler)
        if not result.begins(epochs, patience, eval_every):
            raise ValueError(
                f"'{store.path}' holds {result.epochs} epochs of another length of training; "
                f"remove it to start anew (got {epochs=}, {patience=}, {eval_every=})"
            )
        if callback is not None:
            for row in result.history:
                is_stopped |= bool(callback(row))

    with Progress(result, epochs, shown=progress and ranks.is_first()) as shown:
        while (
            not is_stopped and result.epochs < epochs and result.evaluations_since_best < patience
        ):
            epoch = result.epochs + 1
            row = {"epoch": float(epoch), **run_epoch()}
            ranks.make_alike(replicated(model))  # sums of a GPU differ in their last digits
            loss = row.get("loss", 0.0)
            if not math.isfinite(loss):
                raise ValueError(f"the loss is not finite in epoch {epoch} (got {loss})")
            if epoch % eval_every == 0 or epoch == epochs:
                with nullcontext() if average is None else average.applied():
                    if average is not None:  # of steps that ranks took before they were alike
                        ranks.make_alike(replicated(model))
                    row |= evaluate(model, data, **ranking)
                    row[monitor] = monitored(row, monitor)
                    if row[monitor] > result.best_score:
                        result.best_epoch, result.best_score = epoch, row[monitor]
                        best_state = copy.deepcopy(model.state_dict())
            result.history.append(row)
            result.peak_memory_mb = max(result.peak_memory_mb, peak_memory_mb(device))
            if store is not None:
                store.save(model, optimizer, average, generator, result, identity, best_state)
            shown.update()
            is_stopped = callback is not None and bool(callback(row))
    model.load_state_dict(best_state)
    model.eval()

    both = cast(Monitor, f"GMean@{monitor.partition('@')[2]}")

    def quality(scorers: Sequence[Scorer]) -> list[float]:
        return [monitored(x, both) for x in evaluate_scorers(scorers, data, **ranking)]

    if model.calibrate(data, quality) is not None:
        score = monitored(evaluate(model, data, **ranking), monitor)
        shown.tell_chosen(score)
        result.best_score = score
    return result
