"""Counts of one modality's features: gaps, norms, repeated rows, dead channels, agreement."""

from dataclasses import dataclass

import numpy as np

_BLOCK = 1 << 22  # numbers at a time
_PAIRS = 20_000
_CHANNELS = 64  # of a random projection, which keeps cosines on average
_SHUFFLES = 30
_QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Agreement:
    """Mean cosine of two items that one user took in training, and of two that chance put together.

    Args:
        same (float): The mean cosine of two items of one user, with centred features; every user
            counts the same.
        chance (float): The same after the second items are shuffled among the pairs, so that
            popular ones are as frequent.
        z (float): Their difference, in standard deviations of what it is when the rows of the
            features are shuffled among the items. Near zero, rows and ids probably do not line up.
        pairs (int): The number of pairs that were drawn.
    """

    same: float
    chance: float
    z: float
    pairs: int


@dataclass(frozen=True)
class Modality:
    """Counts of one modality's features.

    Args:
        dtype (str): The stored type.
        rows (int): Rows of the matrix.
        channels (int): Columns of the matrix.
        present (int): Rows that are not zero everywhere.
        not_finite (int): Rows with NaN or infinity; left out of all that follows.
        first_not_finite (int, optional): The first of them.
        norms (dict): Quantiles of the lengths of present rows, by share.
        constant (int): Present rows with one value throughout.
        repeated (int): Present rows that repeat an earlier one.
        most_repeated (int): The number of rows with the most frequent content, 1 if none repeats.
        dead (int): Channels with one value throughout the present rows.
        agreement (Agreement, optional): How the features agree with the interactions; :obj:`None`
            if no user took two items with features.
    """

    dtype: str
    rows: int
    channels: int
    present: int
    not_finite: int
    first_not_finite: int | None
    norms: dict[str, float]
    constant: int
    repeated: int
    most_repeated: int
    dead: int
    agreement: Agreement | None


def count_features(x: np.ndarray, train: np.ndarray, seed: int = 0) -> tuple[Modality, np.ndarray]:
    """Counts one modality's features.

    Every number is looked at once, in blocks, and some rows again.

    Args:
        x (numpy.ndarray): The features, perhaps mapped from their file.
        train (numpy.ndarray): The training pairs whose items have rows.
        seed (int, optional): The seed of the pairs that are drawn. (default: :obj:`0`)

    Shapes:
        - **x:** :math:`(N, d)`, **train:** :math:`(2, E)`
        - **output:** the counts, and which items have a usable row :math:`(N)`
    """
    num_rows, channels = x.shape
    norm, digest = np.empty(num_rows), np.empty(num_rows, dtype=np.uint64)
    finite, constant = np.empty(num_rows, dtype=bool), np.empty(num_rows, dtype=bool)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    total = np.zeros(channels)
    salt = np.random.default_rng(0).integers(2**63, size=channels, dtype=np.uint64) * 2 + 1
    step = max(1, _BLOCK // channels)
    for start in range(0, num_rows, step):
        rows = slice(start, start + step)
        block = _single(x[rows])
        finite[rows] = np.isfinite(block).all(axis=1)
        block[~finite[rows]] = 0
        # A row's channels are odd multiples added modulo 2^64: equal rows agree, others hardly.
        digest[rows] = (block.view(np.uint32).astype(np.uint64) * salt).sum(axis=1)
        norm[rows] = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64))
        constant[rows] = block.min(axis=1) == block.max(axis=1)
        some = block[norm[rows] > 0]
        total += some.sum(axis=0)
        if len(some):
            low, high = np.minimum(low, some.min(axis=0)), np.maximum(high, some.max(axis=0))
    present = finite & (norm > 0)
    counts = np.unique(digest[present], return_counts=True)[1]
    wrong = np.flatnonzero(~finite)
    modality = Modality(
        dtype=str(x.dtype),
        rows=num_rows,
        channels=channels,
        present=int(present.sum()),
        not_finite=len(wrong),
        first_not_finite=int(wrong[0]) if len(wrong) else None,
        norms={f"{q:.0%}": float(np.quantile(norm[present], q)) for q in _QUANTILES}
        if present.any()
        else {},
        constant=int((constant & present).sum()),
        repeated=int((counts - 1).sum()),
        most_repeated=int(counts.max(initial=0)),
        dead=int((low >= high).sum()),
        agreement=_agreement(x, total / max(1, present.sum()), train[:, present[train[1]]], seed),
    )
    return modality, present


def _single(x: np.ndarray) -> np.ndarray:
    """A copy in single precision, without negative zeros."""
    with np.errstate(over="ignore"):
        return np.array(x, dtype=np.float32, order="C") + np.float32(0)


def _agreement(x: np.ndarray, mean: np.ndarray, train: np.ndarray, seed: int) -> Agreement | None:
    rng = np.random.default_rng(seed)
    first, second = _draw_pairs(train, rng)
    other = rng.permutation(second)
    distinct = (first != second) & (first != other)
    first, second, other = first[distinct], second[distinct], other[distinct]
    if len(first) < 2:
        return None
    items, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = np.split(places, 2)
    c = np.searchsorted(items, other)
    projected, same, chance = _unit_rows(x, mean, items, (a, b, c), rng)

    def gap(rows: np.ndarray) -> float:
        left = projected[rows[a]]
        return float(np.einsum("nd,nd->n", left, projected[rows[b]] - projected[rows[c]]).mean())

    shuffled = np.std([gap(rng.permutation(len(items))) for _ in range(_SHUFFLES)])
    z = gap(np.arange(len(items))) / shuffled if shuffled > 1e-12 else 0.0
    return Agreement(same, chance, float(z), len(first))


def _draw_pairs(train: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two interactions of one user, of users drawn alike."""
    user, item = train[:, np.argsort(train[0], kind="stable")]
    _, start, count = np.unique(user, return_index=True, return_counts=True)
    several = np.flatnonzero(count > 1)
    if len(several) == 0:
        return item[:0], item[:0]
    who = rng.choice(several, min(_PAIRS, 10 * len(user)))
    first = rng.integers(count[who])
    second = (first + 1 + rng.integers(count[who] - 1)) % count[who]
    return item[start[who] + first], item[start[who] + second]


def _unit_rows(
    x: np.ndarray,
    mean: np.ndarray,
    items: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, float, float]:
    """Centred rows of length one, projected, and the exact mean cosines of first and second, and
    of first and third places in ``items``."""
    channels = x.shape[1]
    basis = rng.standard_normal((channels, _CHANNELS), dtype=np.float32) / _CHANNELS**0.5
    step = max(1, _BLOCK // channels)
    blocks = np.split(np.arange(len(items)), range(step, len(items), step))
    projected = np.concatenate([_unit(x[items[block]], mean) @ basis for block in blocks])
    sums = np.zeros(2)
    for part in np.split(np.arange(len(pairs[0])), range(step, len(pairs[0]), step)):
        a, b, c = (_unit(x[items[side[part]]], mean) for side in pairs)
        sums += [float(np.einsum("nd,nd->", a, side)) for side in (b, c)]
    same, chance = (sums / len(pairs[0])).tolist()
    return projected, same, chance


def _unit(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Zero where a row is the mean, but for rounding."""
    x = _single(x)
    size = np.linalg.norm(x, axis=1, keepdims=True)
    x -= mean.astype(np.float32)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.where(norm > 1e-5 * size, x / np.maximum(norm, 1e-30), 0)
