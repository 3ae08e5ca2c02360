"""A trained model goes on with users and items that it has not seen, where it stopped."""

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.conv import UserProfile
from crane_pyg.nn.graphs import RefreshedItemGraph
from crane_pyg.nn.history_fit import HistoryFit
from crane_pyg.nn.models import Recommender
from crane_pyg.nn.residual import Residual
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import unit_rows
from crane_pyg.schema import modalities, sizes

_NEIGHBOURS = 10


@torch.no_grad()
def grow(old: Recommender, new: Recommender, before: tuple[int, int], data: HeteroData) -> None:
    """Take over what was learned, in place, into a model with more users and items.

    Numbers grow at the end. What has a row for each user or item keeps the rows there are. A new
    item starts from the mean of its ten nearest by content. A new user starts as fold-in serves
    them: from nothing of their own where the model propagates, and elsewhere from the mean of
    their items, as long as users are. What is built from the data (item graphs) is built anew.

    Args:
        old: trained.
        new: of the same kind and settings, freshly made for ``data``.
        before: users and items that ``old`` was made for.
        data: the graph with everything.

    Raises:
        ValueError: if there are fewer users or items than before.
    """
    now = sizes(data)
    if now[0] < before[0] or now[1] < before[1]:
        raise ValueError(f"users and items must not become fewer than {before} (got {now})")
    likeness = _content_weights(data, before[1])
    state, start = old.state_dict(), new.state_dict()
    for name, value in state.items():
        target = start[name]
        if target.shape == value.shape:
            target.copy_(value)
        elif target.is_floating_point() and target.shape[1:] == value.shape[1:]:
            _grow_table(name, value, target, before, now, likeness)
    _start_users(new, before, data)
    for module in new.modules():
        if isinstance(module, RefreshedItemGraph):
            module.epoch.zero_()
        elif isinstance(module, HistoryFit | Residual):
            module.reset_parameters()
    new.load_state_dict(new.state_dict())  # which lets go of what was built


def _grow_table(
    name: str,
    value: Tensor,
    target: Tensor,
    before: tuple[int, int],
    now: tuple[int, int],
    likeness: Tensor,
) -> None:
    """Rows of users, of items, or of users and then items."""
    is_user = "user" in name or "preference" in name
    if len(value) == sum(before) and len(target) == sum(now):
        target[: before[0]] = value[: before[0]]
        target[now[0] : now[0] + before[1]] = value[before[0] :]
        target[now[0] + before[1] :] = likeness @ value[before[0] :]
    elif len(value) == before[0] and len(target) == now[0] and is_user:
        target[: before[0]] = value
    elif len(value) == before[1] and len(target) == now[1]:
        target[: before[1]] = value
        target[before[1] :] = likeness @ value.to(target.dtype)


def _start_users(model: Recommender, before: tuple[int, int], data: HeteroData) -> None:
    user = getattr(model, "user_embedding", None)
    item = getattr(model, "item_embedding", None)
    user, item = (getattr(table, "weight", table) for table in (user, item))
    if not isinstance(user, Tensor) or not isinstance(item, Tensor):
        return
    if model.propagates:
        user[before[0] :] = 0
        return
    mean = UserProfile("mean")(item, item_to_user_graph(data))
    scale = user[: before[0]].norm(dim=1).mean() / mean.norm(dim=1).mean().clamp(min=1e-12)
    if mean.shape[1] == user.shape[1]:
        user[before[0] :] = scale * mean[before[0] :]


def _content_weights(data: HeteroData, num_old: int) -> Tensor:
    """``[new, old]``: how much of each old item a new one starts from; rows of one, or of zeros."""
    num_new = data["item"].num_nodes - num_old
    likeness = torch.zeros(num_new, num_old)
    if num_new == 0:
        return likeness
    for m in modalities(data):
        x, mask = data["item"][f"x_{m}"].cpu(), data["item"][f"{m}_mask"].cpu().unsqueeze(1)
        mean = x.masked_fill(~mask, 0).sum(0) / mask.sum().clamp(min=1)
        unit = unit_rows((x - mean).masked_fill(~mask, 0))
        likeness += unit[num_old:] @ unit[:num_old].T
    kept = likeness.topk(min(_NEIGHBOURS, num_old), dim=1)
    sparse = torch.zeros_like(likeness).scatter_(1, kept.indices, kept.values.clamp(min=0))
    return sparse / sparse.sum(1, keepdim=True).clamp(min=1e-12)
