"""How many users took both of two items."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

Array = NDArray[Any]

_ROWS = 1024  # items compared with all others at a time


def interaction_matrix(edge_index: Tensor, size: tuple[int, int]) -> csr_array:
    """The users' items as a sparse matrix on the host, an entry of one for each distinct pair.

    Args:
        edge_index (Tensor): ``[2, E]``, users first.
        size: number of users and of items.

    Returns:
        ``[users, items]`` float32, its columns in order.

    Raises:
        ValueError: if an index lies outside ``size`` or the shape does not match.
    """
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index must be [2, E] (got {list(edge_index.shape)})")
    for name, index, count in zip(("user", "item"), edge_index, size, strict=True):
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < count:
            low, high = int(index.min()), int(index.max())
            raise ValueError(f"{name} indices must lie in [0, {count}) (got {low}..{high})")
    users, items = edge_index.long()  # their products need the range
    pair = torch.unique(users * size[1] + items).cpu().numpy()
    user, item = np.divmod(pair, size[1])
    return csr_array((np.ones(pair.size, np.float32), (user, item)), shape=size)


def damped(taken: csr_array, damping: float) -> csr_array:
    r"""Users' rows scaled so that one of :math:`n` items counts :math:`n^{-\text{damping}}` in the
    Gram matrix, interactions one on average.

    Args:
        taken: ``[users, items]`` of ones.
        damping: zero lets all count alike.

    Returns:
        ``[users, items]``, ``taken`` itself where all count alike.

    Raises:
        ValueError: if ``damping`` is negative.
    """
    if damping < 0:
        raise ValueError(f"damping must not be negative (got {damping})")
    if damping == 0 or taken.nnz == 0:
        return taken
    length = np.diff(taken.indptr)
    count = np.maximum(length, 1.0) ** -damping
    count *= length.sum() / (length @ count)
    scale = np.sqrt(count).astype(taken.dtype).repeat(length)
    return csr_array((taken.data * scale, taken.indices, taken.indptr), shape=taken.shape)


def cooccurrence(edge_index: Tensor, size: tuple[int, int], damping: float = 0.0) -> Tensor:
    r"""The Gram matrix :math:`\mathbf{X}^{\top} \mathbf{X}` of the interactions, dense.

    Args:
        edge_index (Tensor): ``[2, E]``, users first.
        size: number of users and of items.
        damping: as :func:`damped` takes it.

    Returns:
        ``[items, items]`` float32 on the device of ``edge_index``: the number of users who took
        both, on the diagonal that of the item's own.

    Raises:
        ValueError: as :func:`interaction_matrix` and :func:`damped`.
    """
    taken = damped(interaction_matrix(edge_index, size), damping)
    return torch.from_numpy(gram(taken)).to(edge_index.device)


def gram(taken: csr_array) -> Array:
    """The product of a matrix's transpose with it, dense."""
    product: Array = (taken.T @ taken).T.toarray()  # symmetric; its transpose is stored by rows
    return product


def strongest(
    taken: csr_array,
    weighted: csr_array,
    k: int,
    score: Callable[[Array, Array, Array], Array],
    items: Array | None = None,
) -> tuple[Array, Array, Array]:
    """The items that occur with each item most, a block of items at a time.

    Args:
        taken: ``[users, items]``, in the place of one side of the Gram matrix.
        weighted: ``[users, items]``, in the place of the other side.
        k: how many at most; only items that occur with the item are among them.
        score: from items, others and their entries of ``weighted.T @ taken`` to what the others
            are chosen by; of equal ones the first.
        items: those to find others for, ascending. (default: all)

    Returns:
        items, others and their scores, by item, then by the other; no item is its own.
    """
    by_item = weighted.T.tocsr()
    if items is None:
        items = np.arange(by_item.shape[0])
    parts = []
    for first in range(0, items.size, _ROWS):
        block = items[first : first + _ROWS]
        product = (by_item[block] @ taken).tocoo()
        row, other = (x.astype(np.int64) for x in product.coords)
        item = block[row]
        distinct = item != other
        item, other, value = item[distinct], other[distinct], product.data[distinct]
        value = score(item, other, value)
        near = _is_near(item, value, k)
        item, other, value = item[near], other[near], value[near]
        order = np.lexsort((other, -value, item))
        best = order[place_in_row(item[order]) < k]
        best = best[np.lexsort((other[best], item[best]))]
        parts.append((item[best], other[best], value[best]))
    item, other, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return item, other, value


def _is_near(row: Array, value: Array, k: int) -> Array:
    """Whether an entry may be among the ``k`` largest of its row, where rows ascend: there are more
    only where several equal the last of them. Far fewer are left to sort."""
    _, first, count = np.unique(row, return_index=True, return_counts=True)
    least = np.full(first.size, -np.inf, value.dtype)
    for place in (count > k).nonzero()[0]:
        begin, size = first[place], count[place]
        least[place] = np.partition(value[begin : begin + size], size - k)[size - k]
    return value >= least.repeat(count)


def times_taken(taken: csr_array, item: Array, other: Array) -> Array:
    """How many of an item's others those who took it have taken on average.

    Args:
        taken: ``[users, items]`` of ones.
        item, other: distinct pairs.

    Returns:
        ``[items]``, zero for those that no pair names.
    """
    by_item, num_items = taken.T.tocsr(), taken.shape[1]
    ones = np.ones(item.size, taken.dtype)
    chosen = csr_array((ones, (item, other)), shape=(num_items, num_items))
    found = np.zeros(num_items)
    items = np.unique(item)
    for first in range(0, items.size, _ROWS):
        block = items[first : first + _ROWS]
        found[block] = (by_item[block] @ taken).multiply(chosen[block]).sum(1)
    return found / np.maximum(by_item.sum(1), 1)


def place_in_row(row: Array) -> Array:
    """The place of each entry among those of its row, where rows ascend."""
    return np.arange(row.size) - np.searchsorted(row, row)
