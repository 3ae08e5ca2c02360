"""A model whose embedding tables are divided among ranks, and its state as one rank has it."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from crane_pyg import ranks
from crane_pyg.nn.columns import Columns, DividedColumns
from crane_pyg.nn.models import Recommender


def divide(model: Recommender) -> None:
    """Leave each rank its columns of the model's tables, in place; the rest stays on all of them.

    Whatever ranks drew or computed differently becomes as the first rank has it. Without other
    ranks nothing is done.

    Args:
        model: constructed alike on all ranks.

    Raises:
        ValueError: if the model has no tables to divide, or their width is no multiple of the
            number of ranks.
    """
    count = ranks.size()
    if count == 1 or isinstance(model.columns, DividedColumns):
        return
    if not model.tables:
        raise ValueError(f"{type(model).__name__} trains on one rank only (got {count})")
    found = [getattr(model, name) for name in model.tables]
    tables = [table.weight for table in found if table is not None]
    for width in {table.size(1) for table in tables}:
        if width % count:
            raise ValueError(
                f"embedding_dim must be a multiple of the number of ranks (got a table of {width} "
                f"columns and {count} ranks)"
            )
    ranks.make_alike([x.detach() for x in (*model.parameters(), *model.buffers())])
    for table in tables:
        table.data = _own_columns(table.data)
    columns = DividedColumns(tables)
    for module in model.modules():
        if isinstance(getattr(module, "columns", None), Columns):
            setattr(module, "columns", columns)  # noqa: B010 (a module's attributes are typed)


def replicated(model: Recommender) -> list[Tensor]:
    """The parameters of a divided model that all ranks hold; none of another one.

    Args:
        model: any.
    """
    return [x.detach() for x in model.parameters() if _is_divided(model) and not _is_cut(model, x)]


def whole_state(model: Recommender, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that ranks hold in parts, put together on the first rank.

    Args:
        model: whose they are.
        state: as ``state_dict`` has them, now or at an earlier time.

    Returns:
        them, whole; on other ranks than the first, what is not to be used.
    """
    return _changed(model, state, _whole_columns)


def own_state(model: Recommender, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The opposite of :func:`whole_state`.

    Args:
        model: whose weights they are.
        state: all of them, on every rank.
    """
    return _changed(model, state, _own_columns)


def whole_optimizer_state(model: Recommender, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """As :func:`whole_state`, for what an optimiser keeps of each parameter.

    Args:
        model: whose parameters it updates.
        optimizer: the optimiser.
    """
    return _changed_optimizer(model, optimizer, optimizer.state_dict(), _whole_columns)


def own_optimizer_state(
    model: Recommender, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> dict[str, Any]:
    """The opposite of :func:`whole_optimizer_state`.

    Args:
        model, optimizer: as there.
        state: what the optimiser is to load.
    """
    return _changed_optimizer(model, optimizer, state, _own_columns)


def _is_divided(model: Recommender) -> bool:
    return isinstance(model.columns, DividedColumns)


def _is_cut(model: Recommender, x: Tensor) -> bool:
    return isinstance(model.columns, DividedColumns) and model.columns.has(x)


def _changed(
    model: Recommender, state: dict[str, Tensor], change: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    if not _is_divided(model):
        return state
    cut = {name for name, x in model.named_parameters() if _is_cut(model, x)}
    return {name: change(x) if name in cut else x for name, x in state.items()}


def _changed_optimizer(
    model: Recommender,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
    change: Callable[[Tensor], Tensor],
) -> dict[str, Any]:
    """The optimiser numbers its parameters in the order of its groups."""
    if not _is_divided(model):
        return state
    parameters = [x for group in optimizer.param_groups for x in group["params"]]
    moments = {
        number: {
            name: change(x) if _is_cut(model, parameters[number]) and x.dim() == 2 else x
            for name, x in kept.items()
        }
        for number, kept in state["state"].items()
    }
    return state | {"state": moments}


def _own_columns(x: Tensor) -> Tensor:
    return x[:, ranks.share(x.size(1))].clone(memory_format=torch.contiguous_format)


def _whole_columns(x: Tensor) -> Tensor:
    parts = [torch.empty_like(x) for _ in range(ranks.size())] if ranks.is_first() else None
    dist.gather(x.contiguous(), parts)
    return x if parts is None else torch.cat(parts, dim=1).cpu()
