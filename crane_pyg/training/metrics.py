"""What a ranking is measured by, composed of PyG's metrics."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize
from torch_geometric.data import HeteroData
from torch_geometric.metrics import (
    LinkPredAveragePopularity,
    LinkPredCoverage,
    LinkPredDiversity,
    LinkPredHitRatio,
    LinkPredMAP,
    LinkPredMetricCollection,
    LinkPredMRR,
    LinkPredNDCG,
    LinkPredPrecision,
    LinkPredRecall,
)

from crane_pyg.choices import check_choice
from crane_pyg.schema import USER_TO_ITEM, check_modalities, modalities

Metric = Literal[
    "Recall", "NDCG", "Precision", "HitRate", "MRR", "MAP", "Coverage", "Popularity", "Diversity"
]
DEFAULT_METRICS: tuple[Metric, ...] = ("Recall", "NDCG")


class ContentDiversity(LinkPredDiversity):
    r"""How unlike each other in content the items of one list are, as a mean over the users.

    PyG's diversity asks whether two items are of one category; the data here have features instead
    of categories. So what two items share is the cosine of their features:

    .. math::
        div_{u@k} = 1 - \frac{1}{k (k-1)} \sum_{i \neq j} \cos(x_i, x_j)

    With categories as one-hot features this is PyG's.

    Args:
        k (int): the length of a list, at least 2.
        x (torch.Tensor): rows whose inner products are the cosines of items, ``[N, d]``.

    Raises:
        ValueError: if a list has no two items.
    """

    squared: Tensor

    def __init__(self, k: int, x: Tensor) -> None:
        if k < 2:
            raise ValueError(f"Diversity needs lists of at least two items (got k={k})")
        super().__init__(k, category=x)
        self.register_buffer("squared", x.square().sum(dim=1), persistent=False)

    def update(
        self,
        pred_index_mat: Tensor,
        edge_label_index: Tensor | tuple[Tensor, Tensor],
        edge_label_weight: Tensor | None = None,
    ) -> None:
        """Count a block of lists; only ``pred_index_mat``, ``[B, k]`` or wider, is looked at."""
        top = pred_index_mat[:, : self.k]
        # All pairs of a list at once: the square of its sum, less each item with itself.
        total = embedding_bag(top, self.category, mode="sum")
        alike = total.square().sum(dim=1) - self.squared[top].sum(dim=1)
        self.accum += (1 - alike / (self.k * (self.k - 1))).sum()
        self.total += len(top)


METRICS: dict[str, Any] = {
    "Recall": LinkPredRecall,
    "NDCG": LinkPredNDCG,
    "Precision": LinkPredPrecision,
    "HitRate": LinkPredHitRatio,
    "MRR": LinkPredMRR,
    "MAP": LinkPredMAP,
    "Coverage": LinkPredCoverage,
    "Popularity": LinkPredAveragePopularity,
    "Diversity": ContentDiversity,
}


def build_metrics(
    names: Sequence[Metric], ks: Sequence[int], data: HeteroData
) -> LinkPredMetricCollection:
    """Returns the metrics at every cut-off, called ``'Recall@10'`` and the like.

    Args:
        names: what to measure.
        ks: cut-offs.
        data: the graph, whose training edges say how popular an item is.

    Raises:
        ValueError: as :func:`check_metrics` does, or if there is no cut-off.
    """
    check_metrics(names, data)
    if not ks:
        raise ValueError(f"there must be a cut-off (got ks={ks!r})")
    needs = {name: _arguments(name, data) for name in names}
    return LinkPredMetricCollection(
        {f"{name}@{k}": METRICS[name](k, **needs[name]) for k in ks for name in names}
    )


def check_metrics(names: Sequence[Metric], data: HeteroData) -> None:
    """Refuse what cannot be measured, before a training that it would be found out after.

    Args:
        names: what to measure.
        data: the graph.

    Raises:
        ValueError: if there is no metric, one is unknown, or ``data`` lacks the features it needs.
    """
    if not names:
        raise ValueError(f"there must be a metric (got {names!r})")
    for name in names:
        check_choice("metric", name, Metric)
    if "Diversity" in names:
        check_modalities(modalities(data))


def is_better_high(score: str) -> bool:
    """Whether more of a score, such as ``'Popularity@20'``, is better, as PyG has it."""
    return bool(METRICS[score.partition("@")[0]].higher_is_better)


def _arguments(name: Metric, data: HeteroData) -> dict[str, Any]:
    """What a metric is constructed with, beside its cut-off."""
    num_items = data["item"].num_nodes
    if name == "Coverage":
        return {"num_dst_nodes": num_items}
    if name == "Popularity":
        item = data[USER_TO_ITEM].edge_index[1]
        return {"popularity": torch.bincount(item, minlength=num_items)}
    if name == "Diversity":
        return {"x": _content(data)}
    return {}


def _content(data: HeteroData) -> Tensor:
    """Rows whose inner product is the cosine of centred features, a mean over the modalities.

    Where one of two items lacks a modality, they do not resemble each other there.
    """
    names = modalities(data)
    rows = []
    for name in names:
        x, mask = data["item"][f"x_{name}"].float(), data["item"][f"{name}_mask"].unsqueeze(1)
        mean = (x * mask).sum(dim=0) / mask.sum().clamp(min=1)
        rows.append(normalize((x - mean) * mask, dim=1))
    return torch.cat(rows, dim=1) / len(names) ** 0.5
