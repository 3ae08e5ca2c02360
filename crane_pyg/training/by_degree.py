"""Scores by how much training knows of a user, or of an item."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.choices import check_choice
from crane_pyg.nn.models import Recommender
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training.evaluation import (
    EvaluationProtocol,
    HeldOutSplit,
    excluded_edges,
    held_out_edges,
    rank,
)
from crane_pyg.training.metrics import DEFAULT_METRICS, build_metrics

DegreeOf = Literal["user", "item"]


@torch.no_grad()
def evaluate_by_degree(
    model: Recommender,
    data: HeteroData,
    split: HeldOutSplit = "val",
    *,
    by: DegreeOf = "user",
    bins: int = 5,
    protocol: EvaluationProtocol = "strict",
    ks: Sequence[int] = (10, 20),
    batch_size: int = 1024,
) -> list[dict[str, float]]:
    """Scores of :func:`~crane_pyg.training.evaluate` by the number of training interactions.

    Args:
        model, data, split, protocol, ks, batch_size: as :func:`~crane_pyg.training.evaluate` takes
            them.
        by: whose training interactions count. ``'user'``: Recall and NDCG are means over the users
            with so many. ``'item'``: Recall is the share of the held-out pairs found, of those
            whose item has so many.
        bins: how many groups, of as many users or pairs each as equal degrees, which stay together,
            allow; fewer where a group remains empty.

    Returns:
        one row per group, from the lowest degree to the highest: ``min_degree``, ``max_degree``,
        ``users`` or ``pairs``, how many there are, and the scores. ``pandas.DataFrame`` of them is
        a table.

    Raises:
        ValueError: as :func:`~crane_pyg.training.evaluate` does, or if ``by`` is unknown or
            ``bins`` is not positive.
    """
    check_choice("by", by, DegreeOf)
    if bins < 1:
        raise ValueError(f"bins must be at least 1 (got {bins})")
    if not ks:
        raise ValueError(f"there must be a cut-off (got ks={ks!r})")
    held_out = held_out_edges(data, split)
    hidden = excluded_edges(data, split, protocol)
    users, row = torch.unique(held_out[0], return_inverse=True)
    tops = rank(model, data, users, max(ks), hidden, batch_size=batch_size)
    top = torch.cat([item for item, _ in tops])
    truth = torch.stack([row, held_out[1]])
    if by == "item":
        return _by_item(data, truth, top, bins, ks)
    return _by_user(data, users, truth, top, bins, ks)


def _by_user(
    data: HeteroData, users: Tensor, truth: Tensor, top: Tensor, bins: int, ks: Sequence[int]
) -> list[dict[str, float]]:
    degree = _degree(data, 0, data["user"].num_nodes)[users]
    group = degree_groups(degree, bins)
    rows = []
    for number in torch.unique(group).tolist():
        members = (group == number).nonzero().view(-1)
        own = truth[:, group[truth[0]] == number]
        own = torch.stack([torch.searchsorted(members, own[0].contiguous()), own[1]])
        metrics = build_metrics(DEFAULT_METRICS, ks, data).to(top.device)
        metrics.update(top[members], own)
        scores = {name: float(value) for name, value in metrics.compute().items()}
        rows.append(_range(degree[members]) | {"users": len(members)} | scores)
    return rows


def _by_item(
    data: HeteroData, truth: Tensor, top: Tensor, bins: int, ks: Sequence[int]
) -> list[dict[str, float]]:
    degree = _degree(data, 1, data["item"].num_nodes)[truth[1]]
    group = degree_groups(degree, bins)
    hit = top[truth[0]] == truth[1].unsqueeze(1)  # [E, k]
    rows = []
    for number in torch.unique(group).tolist():
        own = hit[group == number]
        scores = {f"Recall@{k}": float(own[:, :k].any(dim=1).float().mean()) for k in ks}
        rows.append(_range(degree[group == number]) | {"pairs": len(own)} | scores)
    return rows


def degree_groups(degree: Tensor, bins: int) -> Tensor:
    """The group of each degree: the share of those with a lower one, in steps of ``1 / bins``.

    Shapes:
        - **degree**, **output:** ``[n]``
    """
    lower = torch.searchsorted(degree.sort().values, degree)
    return lower * bins // max(1, degree.numel())


def _degree(data: HeteroData, side: int, size: int) -> Tensor:
    return torch.bincount(data[USER_TO_ITEM].edge_index[side], minlength=size)


def _range(degree: Tensor) -> dict[str, float]:
    return {"min_degree": int(degree.min()), "max_degree": int(degree.max())}
