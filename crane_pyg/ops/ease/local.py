from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from crane_pyg.ops.cooccurrence import gram, interaction_matrix, place_in_row, strongest
from crane_pyg.ops.ease.ridge import check_features, check_ridge
from crane_pyg.ops.ranges import ranges

_DENSE = 1 << 30  # entries of a matrix of items by items that may be held to read systems from
_CHUNK = 1 << 18  # entries of systems solved at a time: larger ones leave a core's cache
_CHUNK_CUDA = 1 << 25


def local_ease(
    edge_index: Tensor,
    size: tuple[int, int],
    l2: float,
    num_neighbors: int,
    *,
    dropout: float = 0.0,
    features: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""EASE with few regressors for each item: a sparse item-item graph, linear in the items.

    Each item is explained by the :math:`m` items :math:`\mathcal{S}` with the largest

    .. math::
        s_{ij} = \frac{1}{\sqrt{d_i}} \sum_{u \in \mathcal{N}(i) \cap \mathcal{N}(j)}
        \frac{1}{\sqrt{d_u}},

    never by itself: those it occurs with most often for how popular they are, where users who took
    many items say less. (Were all users to say as much, one who took hundreds would choose the
    neighbours of all rare items.) Its weights solve

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
        dropout, features: as :func:`ease` takes them; features choose no regressors.

    Returns:
        edges from the explaining items (row 0) to those explained (row 1), and their weights, on
        the device of ``edge_index``.

    Shapes:
        - **features:** ``[items, f]``
        - **output:** ``[2, E']`` sorted by explained item, then by explaining, and ``[E']``

    Raises:
        ValueError: if ``l2`` is not positive or ``dropout`` not in [0, 1), there is to be no
            neighbour, an index lies outside ``size``, or the features are not of ``size[1]`` items.
    """
    check_ridge(l2, dropout)  # before neighbours are looked for, which takes a while
    check_features(features, size[1])
    return LocalSystems(edge_index, size, num_neighbors).solve(l2, dropout, features)


class LocalSystems:
    """The systems of :func:`local_ease`, read once and solved with one ridge after another.

    Args:
        edge_index, size, num_neighbors: as :func:`local_ease` takes them.
    """

    def __init__(self, edge_index: Tensor, size: tuple[int, int], num_neighbors: int) -> None:
        if num_neighbors < 1:
            raise ValueError(f"num_neighbors must be at least 1 (got {num_neighbors})")
        self.num_items, device = size[1], edge_index.device
        taken = interaction_matrix(edge_index, size)
        if num_neighbors < self.num_items - 1:
            source, count = _neighbours(taken, num_neighbors)
        else:
            source, count = _all_others(self.num_items)
        self.source, self.count = source.to(device), count.to(device)
        read = _read_dense if self.num_items**2 <= _DENSE else _read_sparse
        self.read = read(taken, device)

    def solve(
        self, l2: float, dropout: float = 0.0, features: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What :func:`local_ease` returns for ``l2``, ``dropout`` and ``features``."""
        check_ridge(l2, dropout)
        check_features(features, self.num_items)
        source, count = self.source, self.count
        weight = torch.zeros(source.size(), device=source.device)
        for items, width in _blocks(count):
            # The item itself comes last: its column of the system is the right hand side.
            own = torch.cat([source[items, :width], items.unsqueeze(1)], dim=1)
            whole = self.read(own)  # [b, width + 1, width + 1]
            if features is not None:
                x = features[own].float()
                whole.baddbmm_(x, x.mT)
            system, target = whole[:, :-1, :-1], whole[:, :-1, -1:]
            system.diagonal(dim1=1, dim2=2).div_(1 - dropout).add_(l2)
            factor = torch.linalg.cholesky(system, upper=True)  # half the time of the lower one
            solution = torch.cholesky_solve(target, factor, upper=True)
            weight[items, :width] = solution.squeeze(2)
        kept = torch.arange(source.size(1), device=source.device) < count.unsqueeze(1)
        item = torch.arange(self.num_items, device=source.device).repeat_interleave(count)
        return torch.stack([source[kept], item]), weight[kept]


def _neighbours(taken: csr_array, num_neighbors: int) -> tuple[Tensor, Tensor]:
    """The items ``[N, m]`` that explain each item, in their order, and how many there are."""
    num_items = taken.shape[1]
    user, item = (1 / np.sqrt(np.maximum(taken.sum(axis), 1)) for axis in (1, 0))
    weighted = (taken.T * user).T.tocsr()
    explained, other, _ = strongest(
        taken, weighted, num_neighbors, lambda _, other, value: value * item[other]
    )
    count = np.bincount(explained, minlength=num_items)
    source = np.zeros((num_items, count.max(initial=0)), np.int64)
    source[explained, place_in_row(explained)] = other
    return torch.from_numpy(source), torch.from_numpy(count)


def _all_others(num_items: int) -> tuple[Tensor, Tensor]:
    other = torch.arange(num_items - 1).repeat(num_items, 1)
    other += other >= torch.arange(num_items).unsqueeze(1)
    return other, torch.full((num_items,), num_items - 1)


def _blocks(count: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Items of equally many neighbours, a few at a time, and how many these are."""
    chunk = _CHUNK_CUDA if count.is_cuda else _CHUNK
    for width in torch.unique(count[count > 0]).tolist():
        items = (count == width).nonzero().view(-1)
        for block in torch.split(items, max(1, chunk // (width + 1) ** 2)):
            yield block, width


def _read_dense(taken: csr_array, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from items ``[b, w]`` to how often they occur together ``[b, w, w]``."""
    together = torch.from_numpy(gram(taken)).to(device)

    def read(items: Tensor) -> Tensor:
        place = items.unsqueeze(2) * together.size(0) + items.unsqueeze(1)
        return together.view(-1).index_select(0, place.view(-1)).view(place.shape)

    return read


def _read_sparse(taken: csr_array, device: torch.device) -> Callable[[Tensor], Tensor]:
    """As :func:`_read_dense`, by counting the pairs that each user makes of a block's items."""
    by_item = taken.T.tocsr()
    rowptr = torch.from_numpy(by_item.indptr).long().to(device)
    col = torch.from_numpy(by_item.indices).long().to(device)
    num_users = taken.shape[0]

    def read(items: Tensor) -> Tensor:
        width = items.size(1)
        slot, entry = ranges(rowptr[items].view(-1), rowptr.diff()[items].view(-1))
        # Who took several items of one block stands in a stretch of the sorted users.
        user, order = (col[entry] + slot // width * num_users).sort(stable=True)
        _, size = torch.unique_consecutive(user, return_counts=True)
        mates = size.repeat_interleave(size)
        start = (size.cumsum(0) - size).repeat_interleave(size)
        left, right = ranges(start, mates)
        slot = slot[order]
        pair = slot[left] * width + slot[right] % width
        counted = torch.bincount(pair, minlength=items.numel() * width)
        return counted.float().view(*items.shape, width)

    return read
