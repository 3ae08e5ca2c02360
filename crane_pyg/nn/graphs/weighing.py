from collections.abc import Mapping

import torch
from torch import Tensor

from crane_pyg.ops import (
    CSRGraph,
    GraphRecall,
    csr_graph,
    graph_recall,
    modality_knn_graph,
    some_of,
)
from crane_pyg.transforms import row_normalize

SHARES = (1.0, 0.5, 0.25)  # of a modality, beside the best one
_MOST_ITEMS = 16_384  # looked at: to link all of a large catalogue six times takes minutes


@torch.no_grad()
def choose_shares(
    xs: Mapping[str, Tensor], complete: Tensor, to_user: CSRGraph, k: int
) -> dict[str, float]:
    """Weighs modalities by how well the graph of nearest neighbours then recommends.

    Starting from the best modality, each of the others in turn gets the best of :data:`SHARES` by
    :func:`~crane_pyg.ops.graph_recall`, or none where even the best of these does harm by more than
    the standard error. Of more than 16,384 items so many count, drawn at random, always the same.

    Args:
        xs: features by modality.
        complete: items that have all modalities; only these count.
        to_user: item-to-user edges with weights of one.
        k: neighbours of each item.

    Shapes:
        - **xs:** ``[N, d_m]`` each, **complete:** ``[N]`` bool

    Returns:
        a share for each modality that does not harm.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.graphs import choose_shares
        >>> from crane_pyg.ops import csr_graph, unit_rows
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> xs = {m: unit_rows(data["item"][f"x_{m}"]) for m in ("textual", "visual")}
        >>> taken = csr_graph(data["item", "rev_interacts", "user"].edge_index, size=(200, 300))
        >>> choose_shares(xs, torch.ones(200, dtype=torch.bool), taken, k=10)
        {'textual': 1.0, 'visual': 1.0}
    """

    if complete.sum() > _MOST_ITEMS:
        items = some_of(complete.nonzero().view(-1), _MOST_ITEMS)
        to_user = _of_some_items(to_user, items)
        xs = {m: x[items] for m, x in xs.items()}
        complete = complete[items]

    def recall(shares: Mapping[str, float]) -> GraphRecall:
        parts = [share * xs[m] for m, share in shares.items()]
        edge_index, weight = modality_knn_graph(parts, [complete] * len(parts), k)
        weight = row_normalize(edge_index, weight, complete.numel())
        graph = csr_graph(edge_index, weight, size=(complete.numel(),) * 2)
        return graph_recall(graph, to_user)

    alone = {m: recall({m: 1.0}) for m in xs}
    first, *others = sorted(xs, key=lambda m: -alone[m].mean)
    shares, best = {first: 1.0}, alone[first]
    for m in others:
        found = {share: recall({**shares, m: share}) for share in SHARES}
        share = max(found, key=lambda share: found[share].mean)
        if found[share].mean >= best.mean - best.error:
            shares[m], best = share, found[share]
    return shares


def _of_some_items(to_user: CSRGraph, items: Tensor) -> CSRGraph:
    """The edges of some items, which are numbered anew."""
    place = torch.full((to_user.num_src,), -1, device=items.device)
    place[items] = torch.arange(items.numel(), device=items.device)
    item, user = place[to_user.col.long()], to_user.dst.long()
    known = item >= 0
    edges = torch.stack([item[known], user[known]])
    return csr_graph(edges, size=(items.numel(), to_user.num_dst))
