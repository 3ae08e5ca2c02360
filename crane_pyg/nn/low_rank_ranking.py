"""How well the low-rank vectors of the interactions rank validation: by this choices are made that
cost a training each otherwise."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredNDCG

from crane_pyg.nn.objectives import Similarity
from crane_pyg.ops import some_of, unit_rows
from crane_pyg.ops.edge_blocks import edge_blocks
from crane_pyg.schema import USER_TO_ITEM, sizes

_FOLDS = 64  # of the users, at least
_BATCH = 256  # users of a fold, at most
_ERRORS = 1.645  # of a normal distribution 5% lie above
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


def can_rank(data: HeteroData, k: int) -> bool:
    """Whether validation can tell rankings apart: several users hold items of it, and the
    catalogue fills a list.

    Args:
        data: the graph.
        k (int): length of the list.
    """
    return _users(data, 2).numel() == 2 and sizes(data)[1] >= k


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
        ``None`` where :func:`can_rank` says no

    Shapes:
        - **user:** ``[M, d]``, **items:** ``[N, d]`` each
        - **output:** ``[len(items), folds]``
    """
    if not can_rank(data, k):
        return None
    users = _users(data, _MOST_USERS)
    folds = _folds(data, users, min(_BATCH, -(-users.numel() // _FOLDS)))
    found = [[_ndcg(_scores(user[fold.user], x, fold), fold, k) for x in items] for fold in folds]
    return torch.tensor(found).T


def beyond_chance(gain: Tensor) -> bool:
    """Whether a gain is above zero at a level of 5%.

    Args:
        gain (Tensor): of each fold.

    Shapes:
        - **gain:** ``[folds]``
    """
    error = gain.std() / gain.numel() ** 0.5
    return bool(gain.mean() > _ERRORS * error)


def log_ranks(
    data: HeteroData, user: Tensor, items: Sequence[Tensor], most_users: int = 2048
) -> Tensor:
    r"""The mean of :math:`\log_2(2 + r)` over the validation items of each user, where :math:`r`
    items rank before one, for several vectors of the items; training items do not count.

    All that is held out counts, and not only what comes into a top list, so it tells vectors apart
    by fewer users than NDCG does.

    Args:
        data: the graph.
        user (Tensor): vectors of the users.
        items: vectors of the items.
        most_users (int): of more users so many, drawn at random, always the same.

    Shapes:
        - **user:** ``[M, d]``, **items:** ``[N, d]`` each
        - **output:** ``[len(items), users]``, of no users without a validation split
    """
    users = _users(data, most_users)
    if users.numel() == 0:
        return user.new_zeros(len(items), 0)
    found = [
        torch.stack([_log_ranks(_scores(user[fold.user], item, fold), fold) for item in items])
        for fold in _folds(data, users, _BATCH)
    ]
    return torch.cat(found, dim=1)


class _Fold(NamedTuple):
    """Some users, and their edges of training and of validation, by their rows in the fold."""

    user: Tensor
    seen: Tensor
    wanted: Tensor


def _users(data: HeteroData, most: int) -> Tensor:
    """Those with validation items, or some of them."""
    held_out = data[USER_TO_ITEM].get("val_edge_label_index")
    if held_out is None:
        return data[USER_TO_ITEM].edge_index.new_zeros(0)
    return some_of(torch.unique(held_out[0]), most)


def _folds(data: HeteroData, users: Tensor, size: int) -> Iterator[_Fold]:
    train, held_out = data[USER_TO_ITEM].edge_index, data[USER_TO_ITEM].val_edge_label_index
    edges = (edge_blocks(size, users, x) for x in (train, held_out))
    return map(_Fold, torch.split(users, size), *edges)


def _scores(user: Tensor, item: Tensor, fold: _Fold) -> Tensor:
    """Of the catalogue, minus infinity where an item is of training."""
    score = user @ item.T
    return score.index_put_(tuple(fold.seen), score.new_tensor(-torch.inf))


def _ndcg(score: Tensor, fold: _Fold, k: int) -> float:
    metric = LinkPredNDCG(k).to(score.device)
    metric.update(score.topk(k).indices, fold.wanted)
    return float(metric.compute())


def _log_ranks(score: Tensor, fold: _Fold) -> Tensor:
    row, wanted = fold.wanted
    pairs = (torch.split(x, max(1, _MOST_COMPARED // score.size(1))) for x in (row, wanted))
    before = [(score[r] > score[r, i].unsqueeze(1)).sum(1) for r, i in zip(*pairs, strict=True)]
    log = torch.log2(torch.cat(before) + 2.0)
    total = log.new_zeros(score.size(0)).index_add(0, row, log)
    return total / torch.bincount(row, minlength=score.size(0))
