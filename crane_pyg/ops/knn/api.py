"""The nearest-neighbour graph as users call it: checks its input, chooses, orders the answer."""

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from crane_pyg import ranks
from crane_pyg.choices import check_choice
from crane_pyg.ops.knn.blocked import blocked
from crane_pyg.ops.knn.faiss import faiss
from crane_pyg.ops.knn.pyg_lib import pyg_lib
from crane_pyg.ops.knn.similarity import unit_rows
from crane_pyg.ops.knn.torch_cluster import torch_cluster

Impl = Literal["auto", "blocked", "torch_cluster", "pyg_lib", "faiss"]

# Each maps unit rows [N, F], k and some of the rows [Q] to the k most similar other rows [Q, k], in
# any order.
_IMPLS: dict[str, Callable[[Tensor, int, Tensor], Tensor]] = {
    "blocked": blocked,
    "torch_cluster": torch_cluster,
    "pyg_lib": pyg_lib,
    "faiss": faiss,
}

APPROXIMATE_FROM = 50_000  # items: of 64,000 all pairs take three times as long, and it grows
_ROWS = 1 << 16  # whose neighbours are gathered at once

logger = logging.getLogger(__name__)


@torch.no_grad()
def knn_graph(
    x: Tensor,
    k: int,
    *,
    loop: bool = False,
    mask: Tensor | None = None,
    query: Tensor | None = None,
    impl: Impl = "auto",
) -> Tensor:
    r"""The directed graph of the :math:`k` most cosine-similar rows of each row.

    Edges run from the neighbour (row 0) to the item (row 1), sorted by item, then by decreasing
    similarity; equally similar neighbours come in the order of their indices. A row of zeros has
    similarity 0 to every other row. The graph carries no gradient: weigh its edges with
    :func:`edge_cosine`.

    Args:
        x (Tensor): The features. Half precision is compared in float32.
        k (int): The number of neighbours.
        loop (bool): Whether an item is among its own :math:`k` neighbours, then always as the
            first. (default: :obj:`False`)
        mask (Tensor, optional): Items marked :obj:`False` neither have nor are neighbours, and
            may hold anything. (default: :obj:`None`)
        query (Tensor, optional): Items marked :obj:`False` have no neighbours, but are those of
            others. (default: :obj:`None`)
        impl (str): :obj:`"blocked"` is exact, and gives the :math:`k`-th place to the first of
            equally similar rows; :obj:`"torch_cluster"` and :obj:`"pyg_lib"` may give it to
            another of them; :obj:`"faiss"` is approximate, see
            :mod:`crane_pyg.ops.knn.faiss`; :obj:`"auto"` takes the fastest as measured, on a CPU
            with faiss the approximate one from 50,000 items on, and logs which.
            (default: :obj:`"auto"`)

    Shapes:
        - **x:** :math:`(N, F)`, **mask** and **query:** :math:`(N)`
        - **output:** :math:`(2, Q k)`, with :math:`Q` the number of items that neither leaves out

    Raises:
        ValueError: if :obj:`x` is not a finite matrix, :obj:`k` is not below the number of items,
            or the implementation is unknown.
        ImportError: if a named implementation is not installed.
    """
    check_choice("impl", impl, Impl)
    _validate(x, mask, query)
    item = torch.arange(x.size(0), device=x.device) if mask is None else mask.nonzero().view(-1)
    if item.numel() < x.size(0):
        x = x[item]
    _validate_k(k, x.size(0))
    asking = torch.arange(x.size(0), device=x.device)
    if query is not None:
        asking = query[item].nonzero().view(-1)

    others = k - 1 if loop else k
    neighbour = item.new_empty(asking.numel(), others)  # [Q, others]
    if others > 0:
        unit = unit_rows(x).contiguous()
        if impl == "auto":
            impl = _choose(unit)
            _log_choice(impl, *unit.shape)
        with torch.autocast(x.device.type, enabled=False):
            find = partial(_neighbours, _IMPLS[impl], unit, others)
            neighbour = ranks.by_rows(find, asking)
    if loop:
        neighbour = torch.cat([asking.view(-1, 1), neighbour], dim=1)
    return torch.stack([item[neighbour.view(-1)], item[asking].repeat_interleave(k)])


def _choose(unit: Tensor) -> Impl:
    """The fastest on a CPU; elsewhere the matrix product, where nothing else was measured.

    A k-d tree wins only in a handful of channels. Blocked / torch_cluster in ms, k=15, one thread:

    ======  ==========  ===========  =============  ============
    N       3 channels  6 channels   8 channels     16 channels
    ======  ==========  ===========  =============  ============
    100     0.3 / 0.2   0.2 / 0.4    0.3 / 0.4      0.3 / 0.4
    500     3.4 / 1.4   3.4 / 2.9    3.6 / 4.2      3.4 / 6.2
    2,000   23 / 6      31 / 18      32 / 34        25 / 90
    7,050   227 / 22    235 / 90     220 / 307      230 / 1,249
    20,000  1,792 / 81  1,709 / 405  1,705 / 1,210  not measured
    ======  ==========  ===========  =============  ============
    """
    n, channels = unit.shape
    if unit.device.type == "cpu" and n >= APPROXIMATE_FROM and find_spec("faiss") is not None:
        return "faiss"
    if unit.device.type == "cpu" and n >= 500 and channels <= 6:
        for name in ("torch_cluster", "pyg_lib"):
            if find_spec(name) is not None:
                return name
    return "blocked"


def _neighbours(
    impl: Callable[[Tensor, int, Tensor], Tensor], unit: Tensor, k: int, query: Tensor
) -> Tensor:
    return _by_similarity(unit, query, impl(unit, k, query))


def _by_similarity(unit: Tensor, query: Tensor, neighbour: Tensor) -> Tensor:
    """Orders each row's neighbours by similarity, then index.

    Matrix products round differently from one library, or corner of a matrix, to the next;
    sums along a row are alike for all, so that duplicates tie.
    """
    parts = (torch.split(index, _ROWS) for index in (query, neighbour.sort(dim=1).values))
    ordered = []
    for rows, near in zip(*parts, strict=True):
        own = unit[rows]
        sim = torch.stack([(own * unit[j]).sum(dim=1) for j in near.unbind(dim=1)], dim=1)
        ordered.append(near.gather(1, sim.argsort(dim=1, descending=True, stable=True)))
    return torch.cat(ordered)


def _validate(x: Tensor, mask: Tensor | None, query: Tensor | None) -> None:
    if x.dim() != 2 or x.size(1) == 0 or not x.is_floating_point():
        raise ValueError(
            "x must be a floating-point matrix with at least one channel "
            f"(got {x.dtype} of shape {tuple(x.shape)})"
        )
    for name, rows in {"mask": mask, "query": query}.items():
        if rows is not None and (rows.dtype != torch.bool or rows.shape != x.shape[:1]):
            raise ValueError(
                f"{name} must be boolean of shape {(x.size(0),)} "
                f"(got {rows.dtype} of shape {tuple(rows.shape)})"
            )
    bad = ~x.isfinite().all(dim=1)
    if mask is not None:
        bad &= mask
    if bad.any():
        raise ValueError(f"x must be finite (got NaN or infinity in row {int(bad.nonzero()[0])})")


@cache
def _log_choice(impl: str, rows: int, channels: int) -> None:
    """Logs the choice once for each size, as training builds a graph every epoch."""
    logger.debug("knn_graph: auto took %s for %d x %d", impl, rows, channels)


def _validate_k(k: int, items: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1 (got {k})")
    if k >= items:
        raise ValueError(f"k must be smaller than the number of items (got k={k}, items={items})")
