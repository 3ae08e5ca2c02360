"""How vectors and histories become scores: the arithmetic of the trained model, in numpy."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Similarity = Literal["inner", "cosine", "logaddexp"]
_ROUNDING = 1e-5  # what a row of length one may be off its own copy


def unit_rows(x: Array) -> Array:
    """Rows of length one, in float32; rows of zeros stay zero."""
    x = np.asarray(x, dtype=np.float32)
    peak = np.abs(x).max(axis=-1, keepdims=True, initial=0)
    x = x / np.where(peak == 0, 1, peak)
    norm = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    return np.asarray(x / np.where(norm == 0, 1, norm))


def unit_feature(x: Any, mean: Array | None) -> Array:
    """A feature of length one and, where there is a mean, less that and of length one again; one
    that is the very mean becomes zeros.

    Args:
        x: ``[width]``.
        mean: ``[width]``.
    """
    x = np.asarray(x, dtype=np.float32)
    x = x / max(float(np.linalg.norm(x)), 1e-12)
    if mean is None:
        return np.asarray(x)
    x = x - mean
    norm = float(np.linalg.norm(x))
    return np.asarray(x / norm if norm >= _ROUNDING else x * 0)


def pair_scores(user: Array, item: Array, similarity: Similarity, blocks: int) -> Array:
    """The score of every pair.

    Args:
        user: ``[B, d]``; of length one, where the similarity is the cosine.
        item: ``[N, d]``; likewise.
        similarity: ``'logaddexp'`` adds up the exponentials of the blocks' inner products.
        blocks: parts of the vectors, where they are apart.

    Returns:
        ``[B, N]`` float32
    """
    if similarity != "logaddexp":
        return np.asarray(user @ item.T)
    parts = zip(np.split(user, blocks, axis=1), np.split(item, blocks, axis=1), strict=True)
    return np.asarray(np.logaddexp.reduce([u @ i.T for u, i in parts]))


def standardised(score: Array) -> Array:
    """Each row less its mean, over its deviation; zeros where all are equal."""
    score = score - score.mean(axis=-1, keepdims=True)
    deviation = deviations(score)
    score /= np.where(deviation == 0, 1, deviation)
    return np.asarray(score)


def deviations(score: Array) -> Array:
    """The root mean square of each row, ``[..., 1]``."""
    return np.asarray(np.sqrt(np.square(score).mean(axis=-1, keepdims=True)))


def mixed(first: Array, second: Array, shares: Iterable[float]) -> Array:
    """Both standardised, the second by the share of its row, the first by the rest, ``[B, N]``."""
    out = np.empty_like(first)
    # A row at a time stays in the processor's cache.
    parts = map(standardised, first), map(standardised, second)
    for one, other, share, row in zip(*parts, shares, out):
        # As torch.lerp rounds it.
        start, end, weight = (one, other, share) if share < 0.5 else (other, one, 1 - share)
        end -= start
        end *= np.float32(weight)
        np.add(start, end, out=row)
    return out


def best(score: Array, k: int) -> Array:
    """The columns of the ``k`` highest scores of one row, best first, and of equals the first.

    What is minus infinity is none of them.
    """
    threshold = -np.inf
    if k < len(score):
        threshold = np.partition(score, len(score) - k)[len(score) - k]
    found = np.flatnonzero(score >= threshold if threshold > -np.inf else score > threshold)
    return np.asarray(found[np.argsort(-score[found], kind="stable")][:k])
