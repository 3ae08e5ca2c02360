"""What the low-rank vectors of the interactions are worth on validation, fold by fold of the users:
by this choices are made that cost a training each otherwise."""

from collections.abc import Sequence

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
        user (Tensor): vectors of the users.
        items: vectors of the items.
        k (int): cut-off.

    Returns:
        ``None`` where there is no validation split, one user alone in it, or fewer than ``k`` items

    Shapes:
        - **user:** ``[M, d]``, **items:** ``[N, d]`` each
        - **output:** ``[len(items), folds]``
    """
    train = data[USER_TO_ITEM].edge_index
    held_out = data[USER_TO_ITEM].get("val_edge_label_index")
    if held_out is None or held_out.size(1) == 0 or sizes(data)[1] < k:
        return None
    users = some_of(torch.unique(held_out[0]), _MOST_USERS)
    folds = torch.split(users, min(_BATCH, -(-users.numel() // _FOLDS)))
    if len(folds) < 2:
        return None
    row_of = torch.full((user.size(0),), -1, device=user.device)
    found = []
    for fold in folds:
        row_of[fold] = torch.arange(fold.numel(), device=user.device)
        seen, wanted = _block(row_of, train), torch.stack(_block(row_of, held_out))
        row_of[fold] = -1
        found.append([_ndcg(user[fold] @ item.T, seen, wanted, k) for item in items])
    return torch.tensor(found).T


def standard_error(x: Tensor) -> Tensor:
    """Of the mean over folds.

    Args:
        x (Tensor): a number of each.

    Shapes:
        - **x:** ``[folds]``
    """
    return x.std() / x.numel() ** 0.5


def _ndcg(score: Tensor, seen: tuple[Tensor, Tensor], wanted: Tensor, k: int) -> float:
    """NDCG@k over all items but those of training; a user's length does not change the ranking."""
    metric = LinkPredNDCG(k).to(score.device)
    metric.update(score.index_put(seen, score.new_tensor(-torch.inf)).topk(k).indices, wanted)
    return float(metric.compute())


def _block(row_of: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The edges of a block's users, by their rows in it."""
    row = row_of[edges[0]]
    return row[row >= 0], edges[1, row >= 0]
