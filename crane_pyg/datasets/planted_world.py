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
# Sharp enough for taste to beat popularity, soft enough to leave features something to add.
SHARPNESS = 12.0


class World(NamedTuple):
    """Items and users, before anyone chooses anything.

    Shapes: item :math:`(N, 2 h)`, cluster :math:`(N)`, popularity :math:`(N)` with sum 1,
    user :math:`(M, 2 h)`.
    """

    item: np.ndarray
    cluster: np.ndarray
    popularity: np.ndarray
    user: np.ndarray


def draw_world(num_users: int, num_items: int, num_styles: int, rng: Generator) -> World:
    """Draws :obj:`num_styles` squared clusters, their items, and users who like two of them."""
    halves = rng.standard_normal((2, num_styles, HALF))
    halves /= np.linalg.norm(halves, axis=-1, keepdims=True)
    looks, topics = np.divmod(np.arange(num_styles**2), num_styles)
    centre = np.concatenate([halves[0, looks], halves[1, topics]], axis=1) / np.sqrt(2)

    share = rng.dirichlet(np.full(len(centre), 4.0))
    cluster = rng.choice(len(centre), num_items, p=share)
    item = _around(centre[cluster], 0.6, rng)
    interests = rng.choice(len(centre), (num_users, 2), p=share)
    user = _around(0.7 * centre[interests[:, 0]] + 0.3 * centre[interests[:, 1]], 0.5, rng)
    popularity = 0.1 + rng.lognormal(0.0, 1.2, num_items)
    return World(item, cluster, popularity / popularity.sum(), user)


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

    Each choice has :obj:`CANDIDATES` candidates drawn by popularity; those with the highest
    affinity plus Gumbel noise are chosen. Every item is chosen at least once.

    Shapes:
        - **output:** distinct pairs :math:`(2, E)`, sorted by user
    """
    shelf = world.popularity.cumsum()
    shelf[-1] = 1.0
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
    seen = _around(half, 0.3, rng).astype(np.float32)
    weight = rng.standard_normal((half.shape[1], dim), dtype=np.float32) * 2.0
    view = np.empty((len(half), dim), dtype=np.float32)
    step = max(1, BLOCK // dim)
    for start in range(0, len(half), step):
        block = view[start : start + step]
        np.tanh(seen[start : start + step] @ weight, out=block)
        block += 0.1 * rng.standard_normal(block.shape, dtype=np.float32)
    return view


def _choose(
    world: World, shelf: np.ndarray, users: np.ndarray, degree: np.ndarray, rng: Generator
) -> np.ndarray:
    num_items = len(world.item)
    slot = np.repeat(np.arange(len(users)), degree * CANDIDATES)
    key = np.unique(slot * num_items + np.searchsorted(shelf, rng.random(len(slot)), side="right"))
    while True:
        slot, item = np.divmod(key, num_items)
        short = np.maximum(degree - np.bincount(slot, minlength=len(users)), 0)
        if not short.any():
            break
        extra = np.repeat(np.arange(len(users)), 2 * short)
        key = np.union1d(key, extra * num_items + rng.integers(num_items, size=len(extra)))

    affinity = np.einsum("nd,nd->n", world.user[users[slot]], world.item[item])
    score = SHARPNESS * affinity + rng.gumbel(size=len(slot))
    order = np.lexsort((-score, slot))
    slot, item = slot[order], item[order]
    rank = np.arange(len(slot)) - np.searchsorted(slot, slot, side="left")
    chosen = rank < degree[slot]
    return np.stack([users[slot[chosen]], item[chosen]])


def _cover(world: World, pairs: np.ndarray, rng: Generator) -> None:
    """Gives each item that nobody chose to a user whom it fits, in the place of another item."""
    count = np.bincount(pairs[1], minlength=len(world.item))
    for item in np.flatnonzero(count == 0):
        spare = np.empty(0, dtype=np.int64)
        while len(spare) == 0:
            some = rng.integers(pairs.shape[1], size=64)
            spare = some[count[pairs[1, some]] > 1]
        edge = spare[np.argmax(world.user[pairs[0, spare]] @ world.item[item])]
        count[pairs[1, edge]] -= 1
        count[item] += 1
        pairs[1, edge] = item


def _around(centre: np.ndarray, noise: float, rng: Generator) -> np.ndarray:
    scale = noise / np.sqrt(centre.shape[1])
    point = centre + scale * rng.standard_normal(centre.shape)
    return point / np.linalg.norm(point, axis=1, keepdims=True)
