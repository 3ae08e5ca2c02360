"""One epoch of training, by gradients or by solving, the same for every model of its kind."""

import time
from contextlib import nullcontext

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.models import Recommender, SolvedRecommender
from crane_pyg.training.defaults import Precision
from crane_pyg.training.sampling import TripletSampler
from crane_pyg.training.steps import Schedule


def build_optimizer(model: Recommender, lr: float) -> torch.optim.Optimizer:
    """Returns AdamW over the model's parameter groups, which is Adam where none decays.

    Args:
        model: to train.
        lr: the learning rate; a group of the model's may take a share of it, and decay.
    """
    return torch.optim.AdamW(model.parameter_groups(lr), weight_decay=0.0, fused=True)


def train_epoch(
    model: Recommender,
    data: HeteroData,
    sampler: TripletSampler,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | None = None,
    precision: Precision = "float32",
) -> dict[str, float]:
    """Train for one pass over the interactions.

    Args:
        model: trained in place; ends in training mode.
        data: the graph.
        sampler: draws the batches.
        optimizer: updates the model's parameters, such as :func:`build_optimizer` returns it.
        schedule: sets the optimiser's learning rates before each step. (default: they stay)
        precision: of the loss, see :class:`~crane_pyg.training.TrainingSettings`.

    Returns:
        the mean over the batches of ``loss`` and of each of its terms, and the ``seconds`` that
        the epoch took.
    """
    start = time.perf_counter()
    model.train()
    model.start_epoch(data)
    device = sampler.edge_index.device.type
    in_half = precision == "bfloat16"  # otherwise autocast is left as the caller has it
    totals: dict[str, Tensor] = {}
    for user, pos, neg in sampler:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16) if in_half else nullcontext():
            terms = model.loss(data, user, pos, neg)
        loss = torch.stack(list(terms.values())).sum()
        with torch.autocast(device, enabled=False):  # backward repeats forward's types
            torch.autograd.backward(loss)
        if schedule is not None:
            schedule.step()
        optimizer.step()
        for name, value in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, 0) + value.detach()
    means = {name: float(total) / len(sampler) for name, total in totals.items()}
    return means | {"seconds": time.perf_counter() - start}


@torch.no_grad()
def solve_epoch(model: SolvedRecommender, data: HeteroData) -> dict[str, float]:
    """Solve once, which is an epoch to models that learn without gradients.

    Args:
        model: changed in place; ends in training mode.
        data: the graph.

    Returns:
        what the model's :meth:`~crane_pyg.nn.models.SolvedRecommender.solve` returns, and the
        ``seconds`` that the epoch took.
    """
    start = time.perf_counter()
    model.train()
    terms = {name: float(value) for name, value in model.solve(data).items()}
    return terms | {"seconds": time.perf_counter() - start}
