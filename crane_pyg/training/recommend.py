"""What a trained model recommends."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.choices import check_choice
from crane_pyg.nn.models import Recommender
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training.evaluation import rank

Exclusion = Literal["seen", "train", "none"]


class Recommendations(NamedTuple):
    """``[U, k]`` items, best first, and their scores; -1 and minus infinity where there are none
    left.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import recommend
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> found = recommend(LightGCN.from_data(data), data, k=5)
        >>> found.item.shape, found.score.shape
        (torch.Size([300, 5]), torch.Size([300, 5]))
    """

    item: Tensor
    score: Tensor


def recommend(
    model: Recommender,
    data: HeteroData,
    user: Tensor | None = None,
    k: int = 10,
    *,
    exclude: Exclusion | Tensor = "seen",
    batch_size: int = 1024,
) -> Recommendations:
    """The k items with the highest scores of each user.

    Args:
        model: any :class:`~crane_pyg.nn.models.Recommender`.
        data: the graph.
        user: ``[U]`` users, in any order and as often as wanted. (default: all)
        k: how many items.
        exclude: items that are not recommended to a user: ``'seen'``, those of all splits;
            ``'train'``, those of training; ``'none'``; or ``[2, E]`` pairs of user and item.
        batch_size: users ranked at a time; of a large catalogue fewer, to bound memory.

    Raises:
        ValueError: if a user or an item is unknown, ``exclude`` is none of these, or ``k`` is not
            between 1 and the number of items.
    """
    device = data[USER_TO_ITEM].edge_index.device
    num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
    user = torch.arange(num_users, device=device) if user is None else user.to(device)
    if k < 1:
        raise ValueError(f"k must be at least 1 (got {k})")
    hidden = _hidden(data, exclude).to(device)
    _check_ids("user", user, num_users)
    _check_ids("user of exclude", hidden[0], num_users)
    _check_ids("item of exclude", hidden[1], num_items)
    if user.numel() == 0:
        return Recommendations(user.new_empty(0, k), torch.empty(0, k, device=device))
    users, row = torch.unique(user, return_inverse=True)
    tops = rank(model, data, users, k, hidden, batch_size=batch_size)
    item, score = (torch.cat(part)[row] for part in zip(*tops, strict=True))
    return Recommendations(item.masked_fill(score == -torch.inf, -1), score)


def _hidden(data: HeteroData, exclude: Exclusion | Tensor) -> Tensor:
    if isinstance(exclude, Tensor):
        if exclude.dim() != 2 or exclude.size(0) != 2:
            raise ValueError(f"exclude must be pairs [2, E] (got {list(exclude.shape)})")
        return exclude
    check_choice("exclude", exclude, Exclusion)
    store = data[USER_TO_ITEM]
    if exclude == "none":
        return store.edge_index[:, :0]
    if exclude == "train":
        return store.edge_index
    held_out = (store.get(f"{split}_edge_label_index") for split in ("val", "test"))
    return torch.cat([store.edge_index, *(x for x in held_out if x is not None)], dim=1)


def _check_ids(what: str, ids: Tensor, size: int) -> None:
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < size:
        raise ValueError(
            f"every {what} must lie between 0 and {size - 1} "
            f"(got {int(ids.min())} to {int(ids.max())})"
        )
