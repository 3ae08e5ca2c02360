"""Approximate tanh attention: the library's two, and what it does not keep."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from benchmarks.attention_input import Case
from crane_pyg.ops import tanh_attention
from crane_pyg.ops.attention import nystrom as nystrom_module

LANDMARKS = (32, 64, 128, 256, 512)
SHARES = (0.05, 0.2)
BLOCK = 128
MAX_BLOCKS_SIZE = 1 << 14  # the oracle looks at every pair

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]

NAMES = ("linear", "nystrom", "k-means", "linear + k-means", "linear + oracle blocks")
IN_LIBRARY = NAMES[:2]


class Scheme(NamedTuple):
    name: str
    size: float | None  # landmarks, or the share of blocks
    attention: Attention


def tiled(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return tanh_attention(query, key, value, impl="tiled")


def linear(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return tanh_attention(query, key, value, impl="linear")


def nystrom(num_landmarks: int) -> Attention:
    def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        nystrom_module.NUM_LANDMARKS = num_landmarks  # the backward pass reads it too
        return tanh_attention(query, key, value, impl="nystrom")

    return attention


def residual(logit: Tensor) -> Tensor:
    return logit.tanh() - logit


def kmeans(x: Tensor, num_clusters: int, steps: int = 3) -> tuple[Tensor, Tensor]:
    """Centres ``[L, d]`` and the cluster of each row, after a few of Lloyd's steps."""
    num_clusters = min(num_clusters, x.size(0))
    center = x[torch.randperm(x.size(0))[:num_clusters]]
    for _ in range(steps):
        center = scatter(x, _nearest(x, center), dim_size=num_clusters, reduce="mean")
    return center, _nearest(x, center)


def _nearest(x: Tensor, center: Tensor) -> Tensor:
    half_square = center.square().sum(1) / 2
    return torch.cat([(x_ @ center.t() - half_square).argmax(1) for x_ in x.split(1 << 14)])


def landmarks(num_landmarks: int, function: Callable[[Tensor], Tensor] = torch.tanh) -> Attention:
    """Every key replaced by the centre of its cluster."""

    def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        center, cluster = kmeans(key, num_landmarks)
        weight = scatter(value, cluster, dim_size=center.size(0), reduce="sum")  # [L, d]
        return torch.cat([function(q @ center.t()) @ weight for q in query.split(1 << 14)])

    return attention


def linear_and_landmarks(num_landmarks: int) -> Attention:
    """The linear term exact, only the residual through landmarks."""
    rest = landmarks(num_landmarks, residual)
    return lambda query, key, value: query @ (key.t() @ value) + rest(query, key, value)


def linear_and_blocks(case: Case, share: float) -> Attention:
    """The linear term exact, the residual on the share of blocks where it is largest."""
    query_order, key_order = (kmeans(x, 64)[1].argsort() for x in (case.query, case.key))
    keys = case.key[key_order].split(BLOCK)
    norm = torch.tensor(
        [
            [residual(q @ k.t()).square().sum() for k in keys]
            for q in case.query[query_order].split(BLOCK)
        ]
    )
    num_kept = max(1, round(share * norm.numel()))
    kept = norm >= norm.flatten().topk(num_kept).values[-1]  # [query blocks, key blocks]

    def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = query @ (key.t() @ value)
        columns = key_order.split(BLOCK)
        for rows, mask in zip(query_order.split(BLOCK), kept, strict=True):
            if mask.any():
                column = torch.cat([columns[j] for j in mask.nonzero().flatten()])
                out[rows] += residual(query[rows] @ key[column].t()) @ value[column]
        return out

    return attention


def schemes(case: Case) -> list[Scheme]:
    found = [Scheme("linear", None, linear)]
    for size in LANDMARKS:
        found += [
            Scheme("nystrom", size, nystrom(size)),
            Scheme("k-means", size, landmarks(size)),
            Scheme("linear + k-means", size, linear_and_landmarks(size)),
        ]
    if case.key.size(0) <= MAX_BLOCKS_SIZE:
        found += [Scheme("linear + oracle blocks", s, linear_and_blocks(case, s)) for s in SHARES]
    return sorted(found, key=lambda scheme: NAMES.index(scheme.name))
