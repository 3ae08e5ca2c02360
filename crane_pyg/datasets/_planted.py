"""Drawing a world with a known structure: items in clusters, users with tastes.

Cluster :math:`(a, b)` is a look :math:`a` joined with a topic :math:`b`. The latent vector of an
item is the centre of its look beside the centre of its topic, plus noise, so a view of either
half cannot tell clusters apart that share that half.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

HALF = 12
OVERLAP = 2
MIN_DEGREE = 5
CANDIDATES = 8
BLOCK = 500_000
SHARPNESS = 6.0


class World(NamedTuple):
    """Items and users, before anyone chooses anything.

    Shapes: item :math:`(N, 2 h)`, cluster :math:`(N)`, popularity :math:`(N)`,
    user :math:`(M, 2 h)`, interests :math:`(M, 2)` (each user's first and second cluster).
    """

    item: np.ndarray
    cluster: np.ndarray
    popularity: np.ndarray
    user: np.ndarray
    interests: np.ndarray


def draw_world(num_users: int, num_items: int, num_styles: int, rng: Generator) -> World:
    """Draws :obj:`num_styles` squared clusters, their items, and users who like two of them."""
    halves = rng.standard_normal((2, num_styles, HALF))
    halves /= np.linalg.norm(halves, axis=-1, keepdims=True)
    looks, topics = np.divmod(np.arange(num_styles**2), num_styles)
    centre = np.concatenate([halves[0, looks], halves[1, topics]], axis=1) / np.sqrt(2)

    share = rng.dirichlet(np.full(len(centre), 4.0))
    cluster = rng.choice(len(centre), num_items, p=share)
    item = _around(centre[cluster], 0.5, rng)
    interests = rng.choice(len(centre), (num_users, 2), p=share)
    user = _around(0.7 * centre[interests[:, 0]] + 0.3 * centre[interests[:, 1]], 0.4, rng)
    popularity = 0.1 + rng.lognormal(0.0, 1.2, num_items)
    return World(item, cluster, popularity / popularity.sum(), user, interests)


def draw_degrees(num_users: int, most: int, total: int, rng: Generator) -> np.ndarray:
    """Draws long-tailed counts from :obj:`MIN_DEGREE` to :obj:`most` that add up to a total."""
    weight = rng.lognormal(0.0, 1.2, num_users)
    degree = np.full(num_users, MIN_DEGREE)
    while (left := total - int(degree.sum())) > 0:
        open_weight = weight * (degree < most)
        degree += rng.multinomial(left, open_weight / open_weight.sum())
        degree = np.minimum(degree, most)
    return degree


def draw_interactions(world: World, degree: np.ndarray, rng: Generator) -> np.ndarray:
    """Lets every user :math:`u` choose ``degree[u]`` items, in blocks of bounded memory.

    Candidates come from the user's clusters and from all items, both by popularity; those with
    the highest affinity plus Gumbel noise are chosen. Every item is chosen at least once.

    Shapes:
        - **output:** distinct pairs :math:`(2, E)`, sorted by user
    """
    shelf = _Shelf(world)
    end = degree.cumsum()
    starts = np.searchsorted(end, np.arange(0, end[-1], BLOCK // CANDIDATES), side="right")
    bounds = [*np.unique(starts), len(degree)]
    blocks = [
        _choose(world, shelf, np.arange(low, high), degree[low:high], rng)
        for low, high in itertools.pairwise(bounds)
    ]
    pairs = np.concatenate(blocks, axis=1)
    _cover(world, pairs, rng)
    return pairs


def draw_view(half: np.ndarray, dim: int, rng: Generator) -> np.ndarray:
    """Shows part of the items' latent vectors through noise and a random nonlinear layer.

    Shapes:
        - **half:** :math:`(N, h)`, **output:** :math:`(N, d)` in :obj:`float32`
    """
    seen = _around(half, 0.5, rng).astype(np.float32)
    weight = rng.standard_normal((half.shape[1], dim), dtype=np.float32) * 2.0
    view = np.empty((len(half), dim), dtype=np.float32)
    step = max(1, BLOCK // dim)
    for start in range(0, len(half), step):
        block = view[start : start + step]
        np.tanh(seen[start : start + step] @ weight, out=block)
        block += 0.1 * rng.standard_normal(block.shape, dtype=np.float32)
    return view


class _Shelf:
    """Items grouped by cluster, to draw one from a cluster or from all, by popularity."""

    def __init__(self, world: World) -> None:
        self.order = np.argsort(world.cluster, kind="stable")
        self.edge = np.concatenate([[0.0], np.cumsum(world.popularity[self.order])])
        num_clusters = int(world.interests.max()) + 1
        ids = np.arange(num_clusters)
        grouped = world.cluster[self.order]
        self.low = self.edge[np.searchsorted(grouped, ids, side="left")]
        self.high = self.edge[np.searchsorted(grouped, ids, side="right")]

    def draw(self, cluster: np.ndarray, rng: Generator) -> np.ndarray:
        """Draws an item from each given cluster, where -1 stands for all items."""
        anywhere = (cluster < 0) | (self.low == self.high)[cluster]
        low = np.where(anywhere, 0.0, self.low[cluster])
        high = np.where(anywhere, self.edge[-1], self.high[cluster])
        point = low + (high - low) * rng.random(len(cluster))
        position = np.searchsorted(self.edge, point, side="right") - 1
        return self.order[np.minimum(position, len(self.order) - 1)]


def _choose(
    world: World, shelf: _Shelf, users: np.ndarray, degree: np.ndarray, rng: Generator
) -> np.ndarray:
    num_items = len(world.item)
    slot = np.repeat(np.arange(len(users)), degree * CANDIDATES)
    mood = rng.choice(3, len(slot), p=[0.45, 0.2, 0.35])
    interest = world.interests[users[slot], np.minimum(mood, 1)]
    key = slot * num_items + shelf.draw(np.where(mood == 2, -1, interest), rng)
    key = np.unique(key)
    while True:
        slot, item = np.divmod(key, num_items)
        short = degree - np.bincount(slot, minlength=len(users))
        if (short <= 0).all():
            break
        extra = np.repeat(np.arange(len(users)), 2 * np.maximum(short, 0))
        key = np.union1d(key, extra * num_items + rng.integers(num_items, size=len(extra)))

    affinity = np.einsum("nd,nd->n", world.user[users[slot]], world.item[item])
    score = SHARPNESS * affinity + rng.gumbel(size=len(slot))
    order = np.lexsort((-score, slot))
    slot, item = slot[order], item[order]
    rank = np.arange(len(slot)) - np.searchsorted(slot, slot, side="left")
    chosen = rank < degree[slot]
    return np.stack([users[slot[chosen]], item[chosen]])


def _cover(world: World, pairs: np.ndarray, rng: Generator) -> None:
    """Gives each item nobody chose to a fitting user, in place of an item others keep."""
    count = np.bincount(pairs[1], minlength=len(world.item))
    for item in np.flatnonzero(count == 0):
        spare = np.flatnonzero(count[pairs[1]] > 1)
        some = rng.choice(spare, min(64, len(spare)), replace=False)
        edge = some[np.argmax(world.user[pairs[0, some]] @ world.item[item])]
        count[pairs[1, edge]] -= 1
        count[item] += 1
        pairs[1, edge] = item


def _around(centre: np.ndarray, noise: float, rng: Generator) -> np.ndarray:
    scale = noise / np.sqrt(centre.shape[1])
    point = centre + scale * rng.standard_normal(centre.shape)
    return point / np.linalg.norm(point, axis=1, keepdims=True)
