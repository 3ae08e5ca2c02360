"""How well the low-rank vectors of the interactions rank validation: by this choices are made that
cost a training each otherwise."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredNDCG

from crane_pyg.nn.objectives import Similarity
from crane_pyg.ops import some_of, unit_rows
from crane_pyg.schema import USER_TO_ITEM, sizes

_FOLDS = 16  # of the users, at least
_BATCH = 256  # users of a fold, at most
_MOST_USERS = 8192
_MOST_COMPARED = 1 << 26  # scores at a time


def compared(item: Tensor, data: HeteroData, similarity: Similarity) -> Tensor:
    """Items' low-rank vectors as they rank by inner products with those of users: each gets back
    the root of its degree, which the normalisation of the interactions has taken off.

    Args:
        item (Tensor): what :func:`~crane_pyg.nn.spectral_start.low_rank` gives.
        data: the graph.
        similarity: ``'inner'`` or ``'cosine'``.

    Shapes:
        - **item**, **output:** ``[N, d]``
    """
    degree = torch.bincount(data[USER_TO_ITEM].edge_index[1], minlength=item.size(0))
    return (unit_rows(item) if similarity == "cosine" else item) * degree.sqrt().unsqueeze(1)


def ndcg_of_folds(
    data: HeteroData, user: Tensor, items: Sequence[Tensor], k: int = 20
) -> Tensor | None:
    """NDCG@k on validation, of each fold of the users, for several vectors of the items.

    Of more than 8,192 users of that split so many count, drawn at random, always the same.

    Args:
        data: the graph.
        user (Tensor): vectors of the users; their lengths do not matter.
        items: vectors of the items.
        k (int): cut-off.

    Returns:
        ``None`` where there is no validation split, one user alone in it, or fewer than ``k`` items

    Shapes:
        - **user:** ``[M, d]``, **items:** ``[N, d]`` each
        - **output:** ``[len(items), folds]``
    """
    users = _users(data, _MOST_USERS)
    folds = torch.split(users, max(1, min(_BATCH, -(-users.numel() // _FOLDS))))
    if len(folds) < 2 or sizes(data)[1] < k:
        return None
    found = [[_ndcg(*x, k) for x in _ranked(data, user, item, folds)] for item in items]
    return torch.tensor(found)


def log_ranks(data: HeteroData, user: Tensor, item: Tensor, most_users: int = 2048) -> Tensor:
    r"""The mean of :math:`\log_2(2 + r)` over the validation items of each user, where :math:`r`
    items rank before one; training items do not count.

    All that is held out counts, and not only what comes into a top list, so it tells vectors apart
    by fewer users than NDCG does.

    Args:
        data: the graph.
        user (Tensor): vectors of the users.
        item (Tensor): vectors of the items.
        most_users (int): of more users so many, drawn at random, always the same.

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``
        - **output:** a number for each of those users, none without a validation split
    """
    users, found = _users(data, most_users), [item.new_zeros(0)]
    if users.numel() == 0:
        return found[0]
    for score, (row, wanted) in _ranked(data, user, item, torch.split(users, _BATCH)):
        pairs = (torch.split(x, max(1, _MOST_COMPARED // item.size(0))) for x in (row, wanted))
        before = [(score[r] > score[r, i].unsqueeze(1)).sum(1) for r, i in zip(*pairs, strict=True)]
        log = torch.log2(torch.cat(before) + 2.0)
        total = log.new_zeros(score.size(0)).index_add(0, row, log)
        found.append(total / torch.bincount(row, minlength=score.size(0)))
    return torch.cat(found)


def _users(data: HeteroData, most: int) -> Tensor:
    """Those with validation items, or some of them."""
    held_out = data[USER_TO_ITEM].get("val_edge_label_index")
    if held_out is None:
        return data[USER_TO_ITEM].edge_index.new_zeros(0)
    return some_of(torch.unique(held_out[0]), most)


def _ranked(
    data: HeteroData, user: Tensor, item: Tensor, folds: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each fold of users the scores of the catalogue, minus infinity where an item is of
    training, and which are held out, by their rows."""
    train, held_out = data[USER_TO_ITEM].edge_index, data[USER_TO_ITEM].val_edge_label_index
    row_of = torch.full((user.size(0),), -1, device=user.device)
    for fold in folds:
        row_of[fold] = torch.arange(fold.numel(), device=user.device)
        seen, wanted = _block(row_of, train), _block(row_of, held_out)
        row_of[fold] = -1
        score = user[fold] @ item.T
        yield score.index_put_(seen, score.new_tensor(-torch.inf)), torch.stack(wanted)


def _ndcg(score: Tensor, wanted: Tensor, k: int) -> float:
    metric = LinkPredNDCG(k).to(score.device)
    metric.update(score.topk(k).indices, wanted)
    return float(metric.compute())


def _block(row_of: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The edges of a block's users, by their rows in it."""
    row = row_of[edges[0]]
    return row[row >= 0], edges[1, row >= 0]
