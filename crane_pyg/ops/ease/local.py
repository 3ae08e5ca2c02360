from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from crane_pyg.ops.cooccurrence import (
    Array,
    damped,
    gram,
    interaction_matrix,
    strongest,
    times_taken,
)
from crane_pyg.ops.ease.ridge import check_features, check_ridge
from crane_pyg.ops.ranges import ranges

_DENSE = 1 << 30  # entries of a matrix of items by items that may be held to read systems from
_CHUNK = 1 << 18  # entries of systems solved at a time: larger ones leave a core's cache
_CHUNK_CUDA = 1 << 25
_WIDENED = 3  # times that an item's regressors may be doubled


def local_ease(
    edge_index: Tensor,
    size: tuple[int, int],
    l2: float,
    num_neighbors: int,
    *,
    reach: float = 0.0,
    dropout: float = 0.0,
    damping: float = 0.0,
    features: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""EASE with few regressors for each item: a sparse item-item graph, linear in the items.

    Each item is explained by the :math:`m` items :math:`\mathcal{S}` with the largest

    .. math::
        s_{ij} = \frac{1}{\sqrt{d_i}} \sum_{u \in \mathcal{N}(i) \cap \mathcal{N}(j)}
        \frac{1}{\sqrt{d_u}},

    never by itself: those it occurs with most often for how popular they are, where users who took
    many items say less. (Were all users to say as much, one who took hundreds would choose the
    neighbours of all rare items.) Where histories are short, those who took a popular item seldom
    took one of its :math:`m`, and those who took a rare one often did, for it has no more: so an
    item has twice as many, four or eight times, until those who took it have taken ``reach`` of
    them on average. Its weights solve

    .. math::
        (\mathbf{C}_{\mathcal{S} \mathcal{S}} + \lambda \mathbf{I}) \, \mathbf{b}_j
        = \mathbf{c}_{\mathcal{S} j}, \qquad \mathbf{C} = \mathbf{X}^{\top} \mathbf{X}.

    Items that never occur together do not explain each other, unless :math:`m` leaves no item out:
    then it is :func:`ease`. A user's scores are sums over the edges that leave what the user took.

    Args:
        edge_index (Tensor): ``[2, E]`` distinct or repeated pairs, users first.
        size: number of users and of items.
        l2: :math:`\lambda`.
        num_neighbors: :math:`m`; as many as there are others, where there are fewer.
        reach: where an item's others do not reach it, they become more; zero leaves all at
            :math:`m`.
        dropout, damping, features: as :func:`ease` takes them; the last two choose no regressors.

    Returns:
        edges from the explaining items (row 0) to those explained (row 1), and their weights, on
        the device of ``edge_index``.

    Shapes:
        - **features:** ``[items, f]``
        - **output:** ``[2, E']`` sorted by explained item, then by explaining, and ``[E']``

    Raises:
        ValueError: if ``l2`` is not positive, ``dropout`` not in [0, 1), ``reach`` or ``damping``
            negative, there is to be no neighbour, an index lies outside ``size``, or the features
            are not of ``size[1]`` items.
    """
    check_ridge(l2, dropout)  # before neighbours are looked for, which takes a while
    check_features(features, size[1])
    systems = LocalSystems(edge_index, size, num_neighbors, reach, damping)
    return systems.solve(l2, dropout, features)


class LocalSystems:
    """The systems of :func:`local_ease`, read once and solved with one ridge after another.

    Args:
        edge_index, size, num_neighbors, reach, damping: as :func:`local_ease` takes them.
    """

    def __init__(
        self,
        edge_index: Tensor,
        size: tuple[int, int],
        num_neighbors: int,
        reach: float = 0.0,
        damping: float = 0.0,
    ) -> None:
        if num_neighbors < 1:
            raise ValueError(f"num_neighbors must be at least 1 (got {num_neighbors})")
        if reach < 0:
            raise ValueError(f"reach must not be negative (got {reach})")
        self.num_items, device = size[1], edge_index.device
        taken = interaction_matrix(edge_index, size)
        counted = damped(taken, damping)
        if num_neighbors < self.num_items - 1:
            edges = _neighbours(taken, num_neighbors, reach)
        else:
            edges = _all_others(self.num_items)
        self.edges = edges.to(device)
        read = _read_dense if self.num_items**2 <= _DENSE else _read_sparse
        self.read = read(counted, device)

    def solve(
        self, l2: float, dropout: float = 0.0, features: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What :func:`local_ease` returns for ``l2``, ``dropout`` and ``features``."""
        check_ridge(l2, dropout)
        check_features(features, self.num_items)
        source, item = self.edges
        weight = torch.zeros(source.numel(), device=source.device)
        for items, entry in _blocks(torch.bincount(item, minlength=self.num_items)):
            # The item itself comes last: its column of the system is the right hand side.
            own = torch.cat([source[entry], items.unsqueeze(1)], dim=1)
            whole = self.read(own)  # [b, width + 1, width + 1]
            if features is not None:
                x = features[own].float()
                whole.baddbmm_(x, x.mT)
            system, target = whole[:, :-1, :-1], whole[:, :-1, -1:]
            system.diagonal(dim1=1, dim2=2).div_(1 - dropout).add_(l2)
            factor = torch.linalg.cholesky(system, upper=True)  # half the time of the lower one
            weight[entry] = torch.cholesky_solve(target, factor, upper=True).squeeze(2)
        return self.edges, weight


def _neighbours(taken: csr_array, num_neighbors: int, reach: float) -> Tensor:
    """Edges ``[2, E]`` from the items that explain one, by explained item, then by explaining."""
    count = (taken.sum(axis, dtype=np.float64) for axis in (1, 0))
    user, rarity = (1 / np.sqrt(np.maximum(x, 1)) for x in count)
    weighted = (taken.T * user).T.tocsr()

    def score(_: Array, other: Array, value: Array) -> Array:
        # Rounded, so that sums of the same terms are equal, in whatever order they were added.
        return (value * rarity[other]).astype(np.float32)

    num_items, width = taken.shape[1], num_neighbors
    widest = num_neighbors << _WIDENED if reach else num_neighbors
    items, parts = np.arange(num_items), []
    while items.size:
        item, other, _ = strongest(taken, weighted, width, score, items)
        short = np.zeros(num_items, bool)
        if width < widest:
            short = np.bincount(item, minlength=num_items) == width
            full = short[item]
            short &= times_taken(taken, item[full], other[full]) < reach
        done = ~short[item]
        parts.append(np.stack([other[done], item[done]]))
        items, width = short.nonzero()[0], 2 * width
    edges = np.concatenate(parts, axis=1)
    return torch.from_numpy(edges[:, edges[1].argsort(kind="stable")])


def _all_others(num_items: int) -> Tensor:
    item = torch.arange(num_items)
    other = item[:-1].repeat(num_items, 1)
    other += other >= item.unsqueeze(1)
    return torch.stack([other.view(-1), item.repeat_interleave(num_items - 1)])


def _blocks(count: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Items ``[b]`` of equally many neighbours, a few at a time, and their entries ``[b, w]`` among
    all, which go by items."""
    chunk = _CHUNK_CUDA if count.is_cuda else _CHUNK
    first = count.cumsum(0) - count
    for width in torch.unique(count[count > 0]).tolist():
        place = torch.arange(width, device=count.device)
        items = (count == width).nonzero().view(-1)
        for block in torch.split(items, max(1, chunk // (width + 1) ** 2)):
            yield block, first[block].unsqueeze(1) + place


def _read_dense(counted: csr_array, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from items ``[b, w]`` to how often they occur together ``[b, w, w]``."""
    together = torch.from_numpy(gram(counted)).to(device)

    def read(items: Tensor) -> Tensor:
        place = items.unsqueeze(2) * together.size(0) + items.unsqueeze(1)
        return together.view(-1).index_select(0, place.view(-1)).view(place.shape)

    return read


def _read_sparse(counted: csr_array, device: torch.device) -> Callable[[Tensor], Tensor]:
    """As :func:`_read_dense`, by counting the pairs that each user makes of a block's items."""
    by_item = counted.T.tocsr()
    rowptr = torch.from_numpy(by_item.indptr).long().to(device)
    col = torch.from_numpy(by_item.indices).long().to(device)
    scale = torch.from_numpy(by_item.data).to(device)
    num_users = counted.shape[0]

    def read(items: Tensor) -> Tensor:
        width = items.size(1)
        slot, entry = ranges(rowptr[items].view(-1), rowptr.diff()[items].view(-1))
        # Who took several items of one block stands in a stretch of the sorted users.
        user, order = (col[entry] + slot // width * num_users).sort(stable=True)
        _, size = torch.unique_consecutive(user, return_counts=True)
        mates = size.repeat_interleave(size)
        start = (size.cumsum(0) - size).repeat_interleave(size)
        left, right = ranges(start, mates)
        slot, part = slot[order], scale[entry[order]]
        pair = slot[left] * width + slot[right] % width
        together = torch.bincount(pair, part[left] * part[right], items.numel() * width)
        return together.float().view(*items.shape, width)

    return read
