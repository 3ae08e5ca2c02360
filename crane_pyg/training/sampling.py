"""Training triplets, drawn on the device of the graph."""

import logging
from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.schema import USER_TO_ITEM

_CHUNK = 1 << 24  # triplets drawn at a time: what they need beside is 50 bytes each

logger = logging.getLogger(__name__)


class TripletSampler:
    r"""One epoch of (user, positive, negative) batches each time it is iterated.

    Every training edge is a positive once an epoch, in a fresh order; negatives are uniform over
    the items that the user did not take in training. None is drawn in vain, however few are left:
    of :math:`N` items with :math:`d_u` taken, a number :math:`t` is drawn below :math:`N - d_u`,
    and the negative is the :math:`t`-th item that was not taken. Before the taken item
    :math:`i_j`, the :math:`j`-th from 0, stand :math:`i_j - j` others; so that the negative is
    :math:`t` plus the number of taken items with :math:`i_j - j \le t`. Iterating never waits for
    the device.

    Args:
        edge_index (Tensor): ``[2, E]`` training edges, users first.
        num_items: size of the catalogue.
        batch_size: edges per batch.
        generator: source of randomness, on the device of ``edge_index``.
        once_per_user: an epoch holds one edge of each user, drawn at random, in the place of all.
            (default: ``False``)
        among_taken: negatives are items that some user took in training. Others could be nothing
            but negatives, and what scores them by content would learn to score them last.
            (default: ``False``)

    Raises:
        ValueError: if there is no edge, or no user has an item left that could be a negative.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.training import TripletSampler
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> sampler = TripletSampler.from_data(data, batch_size=1024)
        >>> len(sampler), sampler.num_rows
        (4, 3600)
        >>> user, positive, negative = next(iter(sampler))
        >>> user.shape, positive.shape, negative.shape
        (torch.Size([1024]), torch.Size([1024]), torch.Size([1024]))
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_items: int,
        batch_size: int,
        generator: torch.Generator | None = None,
        once_per_user: bool = False,
        among_taken: bool = False,
    ) -> None:
        if edge_index.size(1) == 0:
            raise ValueError("training needs at least one interaction (got none)")
        item, self.catalogue = edge_index[1], None
        if among_taken:
            self.catalogue, item = torch.unique(item, return_inverse=True)
            num_items = self.catalogue.numel()
        self.num_items = num_items
        self.batch_size = batch_size
        self.generator = generator
        taken = torch.unique(edge_index[0] * num_items + item)
        owner = taken // num_items
        degree = torch.bincount(owner)
        self.num_left = num_items - degree
        self.first = degree.cumsum(0) - degree
        rank = torch.arange(taken.numel(), device=taken.device) - self.first[owner]
        # A user's i_j - j, plus user * num_items: ascending over all users, to be searched as one.
        self.others_before = taken - rank
        saturated = self.num_left <= 0
        usable = ~saturated[edge_index[0]]
        if not usable.any():
            raise ValueError("every user took every item: no negative can be drawn")
        if not usable.all():
            logger.warning(
                "%d users took every item and are left out of training", int(saturated.sum())
            )
        self.edge_index = edge_index if usable.all() else edge_index[:, usable]
        self.degree: Tensor | None = None  # of each user that has edges, where one of them counts
        if once_per_user:
            self.edge_index = self.edge_index[:, self.edge_index[0].argsort(stable=True)]
            self.degree = torch.unique_consecutive(self.edge_index[0], return_counts=True)[1]

    @classmethod
    def from_data(
        cls,
        data: HeteroData,
        batch_size: int,
        generator: torch.Generator | None = None,
        once_per_user: bool = False,
        among_taken: bool = False,
    ) -> "TripletSampler":
        """Returns the sampler of a graph's training edges.

        Args:
            data: the graph.
            batch_size, generator, once_per_user, among_taken: as the constructor takes them.
        """
        edge_index, num_items = data[USER_TO_ITEM].edge_index, data["item"].num_nodes
        return cls(edge_index, num_items, batch_size, generator, once_per_user, among_taken)

    @property
    def num_rows(self) -> int:
        """How many triplets an epoch has."""
        return self.edge_index.size(1) if self.degree is None else self.degree.numel()

    def __len__(self) -> int:
        return -(-self.num_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        edges = self.edge_index if self.degree is None else self._one_of_each_user(self.degree)
        order = torch.randperm(edges.size(1), generator=self.generator, device=edges.device)
        whole_batches = max(1, _CHUNK // self.batch_size) * self.batch_size
        for chunk in torch.split(order, whole_batches):
            user, pos = edges[:, chunk]
            neg = self._negatives(user)
            yield from zip(*(x.split(self.batch_size) for x in (user, pos, neg)), strict=True)

    def _one_of_each_user(self, degree: Tensor) -> Tensor:
        first = degree.cumsum(0) - degree
        draw = torch.rand(degree.numel(), generator=self.generator, device=degree.device)
        return self.edge_index[:, first + (draw * degree).long().clamp(max=degree - 1)]

    def _negatives(self, user: Tensor) -> Tensor:
        # The remainder of 63 random bits: no item is likelier than another by more than N / 2^63.
        bits = torch.empty_like(user).random_(generator=self.generator)
        # A user after the other, so that what a search reads is still in the cache.
        user, order = user.sort()
        place = bits[order] % self.num_left[user]
        before = torch.searchsorted(self.others_before, user * self.num_items + place, right=True)
        item = torch.empty_like(place)
        item[order] = place + before - self.first[user]
        return item if self.catalogue is None else self.catalogue[item]
