"""Full-ranking evaluation."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg import ranks
from crane_pyg.choices import check_choice
from crane_pyg.nn.models import Recommender
from crane_pyg.nn.scorer import Scorer
from crane_pyg.ops import some_of
from crane_pyg.ops.edge_blocks import edge_blocks
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training.metrics import DEFAULT_METRICS, Metric, build_metrics

EvaluationProtocol = Literal["strict", "mmrec"]
HeldOutSplit = Literal["val", "test"]
Monitor = Literal["Recall@20", "Recall@10", "NDCG@20", "NDCG@10", "GMean@20", "GMean@10"]

_SCORES = 1 << 26  # held at once: 256 MB


@torch.no_grad()
def evaluate(
    model: Recommender,
    data: HeteroData,
    split: HeldOutSplit = "val",
    *,
    protocol: EvaluationProtocol = "strict",
    ks: Sequence[int] = (10, 20),
    metrics: Sequence[Metric] = DEFAULT_METRICS,
    batch_size: int = 1024,
    max_users: int | None = None,
) -> dict[str, float]:
    """Rank the whole catalogue for every user with held-out items.

    Args:
        model: any :class:`~crane_pyg.nn.models.Recommender`.
        data: the graph.
        split: whose interactions must be found.
        protocol: which items are left out of the ranking. ``'strict'``: the user's training items
            and, at test, the validation items too. ``'mmrec'``: the training items only, as in the
            numbers of the literature.
        ks: cut-offs.
        metrics: what to measure, means over the users: ``'Recall'``; ``'NDCG'``; ``'Precision'``;
            ``'HitRate'``, whether there is a hit; ``'MRR'``, one over the rank of the first;
            ``'MAP'``, the mean of the precision at each hit, where as many hits as possible would
            be 1; ``'Popularity'``, training interactions of a recommended item; ``'Diversity'``,
            see :class:`~crane_pyg.training.metrics.ContentDiversity`; and ``'Coverage'``, the share
            of the catalogue that any of them was recommended. For the last three, what is left out
            of a ranking counts as recommended where a user has fewer items than the cut-off left.
        batch_size: users ranked at a time; of a large catalogue fewer, to bound memory.
        max_users: where more users have held-out items, that many drawn at random, always the same.
            (default: all)

    Returns:
        ``{'Recall@10': ..., 'NDCG@10': ..., ...}``.

    Raises:
        ValueError: if the split, the protocol or a metric is unknown, the split is empty, a
            cut-off exceeds the catalogue, items have no features to measure diversity by, or a
            score is not finite.
    """
    return evaluate_scorers(
        [_scorer(model, data)],
        data,
        split,
        protocol=protocol,
        ks=ks,
        metrics=metrics,
        batch_size=batch_size,
        max_users=max_users,
    )[0]


def monitored(scores: Mapping[str, float], monitor: Monitor) -> float:
    """The score that a training is steered by; a ``GMean`` is the geometric mean of both others.

    Args:
        scores: what :func:`evaluate` returns.
        monitor: which of them, or ``'GMean@K'``.
    """
    name, _, k = monitor.partition("@")
    if name == "GMean":
        return math.sqrt(scores[f"Recall@{k}"] * scores[f"NDCG@{k}"])
    return scores[monitor]


@torch.no_grad()
def evaluate_scorers(
    scorers: Sequence[Scorer],
    data: HeteroData,
    split: HeldOutSplit = "val",
    *,
    protocol: EvaluationProtocol = "strict",
    ks: Sequence[int] = (10, 20),
    metrics: Sequence[Metric] = DEFAULT_METRICS,
    batch_size: int = 1024,
    max_users: int | None = None,
) -> list[dict[str, float]]:
    """:func:`evaluate` of several ways to score, each of which gets the same tensor of users, block
    by block, so that one may use what another has just computed.

    Args:
        scorers: as :meth:`~crane_pyg.nn.models.Recommender.scorer` gives them.
        data, split, protocol, ks, metrics, batch_size, max_users: as :func:`evaluate` takes them.

    Shapes:
        - **scorers:** users ``[B]`` to scores ``[B, N]`` each

    Returns:
        what :func:`evaluate` returns, of each.

    Raises:
        ValueError: as :func:`evaluate` does.
    """
    held_out = held_out_edges(data, split)
    hidden = excluded_edges(data, split, protocol)
    measured = [build_metrics(metrics, ks, data).to(held_out.device) for _ in scorers]
    users = torch.unique(held_out[0])
    if max_users is not None:
        users = some_of(users, max_users)
    tops = _rank(scorers, data, users, measured[0].max_k, hidden, batch_size)
    for found, truth in zip(tops, edge_blocks(batch_size, users, held_out), strict=True):
        for metric, (item, _) in zip(measured, found, strict=True):
            metric.update(item, truth)
    return [{name: float(x) for name, x in each.compute().items()} for each in measured]


def rank(
    model: Recommender,
    data: HeteroData,
    users: Tensor,
    k: int,
    hidden: Tensor,
    *,
    batch_size: int = 1024,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The highest scores of the catalogue, for ``batch_size`` users at a time.

    Args:
        model, data, batch_size: as :func:`evaluate` takes them.
        users: ``[U]``, distinct and ascending.
        k: how many.
        hidden: ``[2, E]`` edges whose items are left out of the user's ranking.

    Yields:
        items ``[B, k]`` and their scores, best first; what is left out has minus infinity.

    Raises:
        ValueError: if ``k`` exceeds the catalogue or, after the last block, if a score was not
            finite.
    """
    for found in _rank([_scorer(model, data)], data, users, k, hidden, batch_size):
        yield from found


def _scorer(model: Recommender, data: HeteroData) -> Scorer:
    training = model.training
    model.eval()
    with torch.no_grad():
        score_of = model.scorer(data)
    model.train(training)
    return score_of


def _rank(
    scorers: Sequence[Scorer],
    data: HeteroData,
    users: Tensor,
    k: int,
    hidden: Tensor,
    batch_size: int,
) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """What :func:`rank` yields, of each scorer."""
    num_items = data["item"].num_nodes
    if k > num_items:
        raise ValueError(f"k must not exceed the catalogue (got k={k}, items={num_items})")
    finite = torch.ones((), dtype=torch.bool, device=users.device)
    several = batch_size * ranks.size()  # users, whom ranks share out
    for block, (row, item) in zip(
        torch.split(users, several), edge_blocks(several, users, hidden), strict=True
    ):
        own = ranks.share(block.numel())
        here = (row >= own.start) & (row < own.stop)
        place = torch.stack([row[here] - own.start, item[here]])
        found = []
        for top in _tops(scorers, block[own], place, k, num_items):
            value, index = (ranks.gather_shares(x, block.numel()) for x in top)
            finite &= (value < torch.inf).all()  # to topk NaN is greater than any number
            parts = (torch.split(x, batch_size) for x in (index, value))
            found.append(zip(*parts, strict=True))
        yield from map(list, zip(*found, strict=True))
    if not finite:
        raise ValueError("every score must be finite (got NaN or infinity: the model diverged)")


@torch.no_grad()
def _tops(
    scorers: Sequence[Scorer], users: Tensor, hidden: Tensor, k: int, num_items: int
) -> list[tuple[Tensor, Tensor]]:
    """The highest scores and their items, of each scorer. Of a large catalogue few users are scored
    at a time, but each by all scorers, which may share what they know of them."""
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in scorers]
    step, (row, item) = max(1, _SCORES // num_items), hidden
    for start, some in zip(itertools.count(0, step), torch.split(users, step), strict=False):
        here = (row >= start) & (row < start + step)
        for score_of, parts in zip(scorers, found, strict=True):
            parts.append(_top(score_of, some, (row[here] - start, item[here]), k))
    return [(torch.cat(value), torch.cat(index)) for value, index in (zip(*x) for x in found)]


def _top(
    score_of: Scorer, users: Tensor, hidden: tuple[Tensor, Tensor], k: int
) -> tuple[Tensor, Tensor]:
    score = score_of(users)
    score[hidden] = -torch.inf
    value, index = score.topk(k)
    return value, index


def held_out_edges(data: HeteroData, split: HeldOutSplit) -> Tensor:
    """``[2, E]`` held-out edges of a split, users first."""
    check_choice("split", split, HeldOutSplit)
    edges = data[USER_TO_ITEM].get(f"{split}_edge_label_index")
    if edges is None or edges.size(1) == 0:
        raise ValueError(f"the {split} split is empty")
    return edges


def excluded_edges(data: HeteroData, split: HeldOutSplit, protocol: EvaluationProtocol) -> Tensor:
    """``[2, E]`` edges whose items are left out of the user's ranking."""
    check_choice("protocol", protocol, EvaluationProtocol)
    edges = data[USER_TO_ITEM].edge_index
    if protocol == "strict" and split == "test":
        edges = torch.cat([edges, data[USER_TO_ITEM].val_edge_label_index], dim=1)
    return edges
