"""Full-ranking evaluation."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredMetricCollection, LinkPredNDCG, LinkPredRecall

from crane_pyg.nn.models import Recommender
from crane_pyg.schema import USER_TO_ITEM

PROTOCOLS = ("strict", "mmrec")


@torch.no_grad()
def evaluate(
    model: Recommender,
    data: HeteroData,
    split: str = "val",
    *,
    protocol: str = "strict",
    ks: tuple[int, ...] = (10, 20),
    batch_size: int = 1024,
) -> dict[str, float]:
    """Rank the whole catalogue for every user with held-out items.

    Args:
        model: any :class:`~crane_pyg.nn.models.Recommender`.
        data: the graph.
        split: ``'val'`` or ``'test'``.
        protocol: which items are left out of the ranking. ``'strict'``: the user's training items
            and, at test, the validation items too. ``'mmrec'``: the training items only, as in the
            numbers of the literature.
        ks: cut-offs.
        batch_size: users ranked at a time; memory grows with ``batch_size`` times the items.

    Returns:
        ``{'Recall@10': ..., 'NDCG@10': ..., ...}``, means over the users.

    Raises:
        ValueError: if the split or protocol is unknown, the split is empty, or a cut-off exceeds
            the catalogue.
    """
    held_out = held_out_edges(data, split)
    excluded = excluded_edges(data, split, protocol)
    metrics = LinkPredMetricCollection(
        {f"{name}@{k}": metric(k) for k in ks for name, metric in _METRICS.items()}
    ).to(held_out.device)
    training = model.training
    model.eval()
    user_emb, item_emb = model(data)
    model.train(training)
    if metrics.max_k > item_emb.size(0):
        raise ValueError(
            f"k must not exceed the catalogue (got k={metrics.max_k}, items={item_emb.size(0)})"
        )
    for users, (truth, hidden) in _blocks(batch_size, held_out, excluded):
        score = model.scores(user_emb[users], item_emb)
        score[hidden[0], hidden[1]] = -torch.inf
        metrics.update(score.topk(metrics.max_k).indices, truth)
    return {name: float(value) for name, value in metrics.compute().items()}


_METRICS = {"Recall": LinkPredRecall, "NDCG": LinkPredNDCG}


def held_out_edges(data: HeteroData, split: str) -> Tensor:
    """``[2, E]`` held-out edges of ``'val'`` or ``'test'``, users first."""
    if split not in ("val", "test"):
        raise ValueError(f"split must be 'val' or 'test' (got {split!r})")
    edges = data[USER_TO_ITEM].get(f"{split}_edge_label_index")
    if edges is None or edges.size(1) == 0:
        raise ValueError(f"the {split} split is empty")
    return edges


def excluded_edges(data: HeteroData, split: str, protocol: str) -> Tensor:
    """``[2, E]`` edges whose items are left out of the user's ranking."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)} (got {protocol!r})")
    edges = data[USER_TO_ITEM].edge_index
    if protocol == "strict" and split == "test":
        edges = torch.cat([edges, data[USER_TO_ITEM].val_edge_label_index], dim=1)
    return edges


def _blocks(size: int, truth: Tensor, hidden: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Blocks of the users in ``truth``, with both edge sets renumbered to the rows of the block."""
    users = torch.unique(truth[0])
    row = torch.full((int(max(users[-1], hidden[0].max())) + 1,), -1, device=users.device)
    row[users] = torch.arange(users.numel(), device=users.device)
    ranked = []
    for edges in (truth, hidden):
        edges = torch.stack([row[edges[0]], edges[1]])
        ranked.append(edges[:, edges[0].argsort(stable=True)])
    for start in range(0, users.numel(), size):
        block = users[start : start + size]
        bounds = torch.tensor([start, start + block.numel()], device=users.device)
        parts = []
        for edges in ranked:
            low, high = torch.searchsorted(edges[0].contiguous(), bounds).tolist()
            parts.append(edges[:, low:high] - torch.tensor([[start], [0]], device=users.device))
        yield block, parts
