"""How well a graph of items recommends by itself."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.utils import lexsort

from crane_pyg.ops.csr import CSRGraph
from crane_pyg.ops.ranges import ranges
from crane_pyg.ops.sample import some_of

_BLOCK = 512  # users at a time


class GraphRecall(NamedTuple):
    """The Recall of an item graph: mean over users, and the standard error of it.

    Examples:
        >>> from crane_pyg.ops import GraphRecall
        >>> one, other = GraphRecall(0.31, error=0.02), GraphRecall(0.28, error=0.02)
        >>> one.mean - other.mean > one.error + other.error
        False
    """

    mean: float
    error: float


@torch.no_grad()
def graph_recall(
    similar: CSRGraph, to_user: CSRGraph, *, k: int = 20, max_users: int = 4096
) -> GraphRecall:
    r"""Leave-one-out Recall@k of an item graph on interactions: no training, no held-out split.

    Each item :math:`i` of a user is ranked among all items that the user did not take, by

    .. math::
        y_{ui} = \sum_{j \in \mathcal{N}(u) \setminus i} S_{ji},

    and is recalled where fewer than :math:`k` of these score as much.

    Args:
        similar: items to similar items, without loops.
        to_user: item-to-user edges with weights of one.
        k: cut-off. (default: ``20``)
        max_users: where more users have two items or more, that many drawn at random, always the
            same. (default: ``4096``)

    Returns:
        the mean over users of two items or more, and its standard error; 0 where there are none.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.ops import csr_graph, graph_recall, knn_graph
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
        >>> similar = csr_graph(knn_graph(data["item"].x_visual, k=10), size=(num_items, num_items))
        >>> taken = data["item", "rev_interacts", "user"].edge_index
        >>> found = graph_recall(similar, csr_graph(taken, size=(num_items, num_users)), k=20)
        >>> 0 < found.error < found.mean < 1
        True
    """
    users = (to_user.in_degree > 1).nonzero().view(-1)
    if users.numel() == 0:
        return GraphRecall(0.0, 0.0)
    users = some_of(users, max_users)
    k = min(k, similar.num_dst)
    recalls = []
    for block in torch.split(users, _BLOCK):
        count = to_user.in_degree[block].long()
        user, edge = ranges(to_user.rowptr[block].long(), count)
        own, bar = _own_and_bar(similar, user, to_user.col[edge].long(), k)
        hits = torch.zeros_like(bar).index_add_(0, user, (own > bar[user]).to(bar.dtype))
        recalls.append(hits / count)
    recall = torch.cat(recalls)
    return GraphRecall(
        float(recall.mean()), float(recall.std(correction=0) / recall.numel() ** 0.5)
    )


def _own_and_bar(similar: CSRGraph, user: Tensor, item: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """What each item that a user took scores without itself, and the k-th highest score of those
    that the user did not take.

    Few items are linked to what a user took; all others score 0, and are not listed.

    Shapes:
        - **user**, **item:** ``[E]``, by user, who are numbered from 0
        - **output:** ``[E]`` and ``[users]``
    """
    num_items = similar.num_dst
    taken, link = ranges(similar.rowptr_t[item].long(), similar.rowptr_t.diff()[item].long())
    own = user * num_items + item
    pair = torch.cat([own, user[taken] * num_items + similar.col_t[link]])
    listed, place = torch.unique(pair, return_inverse=True)
    own_place, linked = place.split([own.numel(), link.numel()])
    score = similar.weight_t.new_zeros(listed.numel())
    score.index_add_(0, linked, similar.weight_t[link])
    found = score[own_place]
    score[own_place] = -torch.inf
    row = listed // num_items
    order = lexsort([-score, row])
    count = torch.bincount(row)
    return found, _kth_largest(score[order], count, num_items - count, k)


def _kth_largest(value: Tensor, count: Tensor, zeros: Tensor, k: int) -> Tensor:
    """Of rows of values, largest first, one after the other, with some zeros more in each.

    Shapes:
        - **value:** ``[count.sum()]``, **count**, **zeros**, **output:** ``[rows]``
    """
    first = count.cumsum(0) - count

    def at(place: Tensor) -> Tensor:
        inside = place.clamp(min=0).minimum(count - 1)
        return value[first + inside].masked_fill(place >= count, -torch.inf)

    place = torch.full_like(count, k - 1)
    above, below = at(place), at(place - zeros).clamp(max=0)
    return torch.where(above > 0, above, below.masked_fill(place < zeros, 0))
