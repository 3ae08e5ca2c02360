"""What no implementation can pass: counted operations and bytes over measured rates."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

TANH_PER_CLOCK = {torch.float32: 16, torch.bfloat16: 32, torch.float16: 32}  # packed in halves


class Work(NamedTuple):
    """What attention does with each pair of a query and a key, of d channels."""

    flops: int  # times d
    tanh: int

    def total_flops(self, n: int, m: int, d: int) -> float:
        return float(self.flops) * n * m * d

    def seconds(self, n: int, m: int, d: int, product_rate: float, tanh_rate: float) -> float:
        """At least: matrix products and tanh have units of their own, and can overlap."""
        return max(self.total_flops(n, m, d) / product_rate, self.tanh * n * m / tanh_rate)


FORWARD = Work(4, 1)  # two products
TRAINING = Work(14, 2)  # five more backward, which computes the weights again
TWO_PASSES = Work(18, 3)  # the fused kernels': backward twice, once for dQ, once for dK and dV


def product_rate(precision: str, rates: Mapping[str, float]) -> float:
    """The most that products can reach; six in bfloat16 are as accurate as one in float32."""
    if precision != "float32":
        return rates[precision]
    return max(rates["float32"], rates.get("bfloat16", 0.0) / 6)


def tanh_rate(multiprocessors: int, clock_hz: float, dtype: torch.dtype) -> float:
    """Hardware tanh a second."""
    return multiprocessors * clock_hz * TANH_PER_CLOCK[dtype]


def gathered_bytes(num_edges: int, num_dst: int, channels: int, itemsize: int) -> int:
    """Of a sparse product that reads a row of x for each edge: 32-bit columns, the weights."""
    edge = 4 + itemsize + channels * itemsize
    return num_edges * edge + num_dst * (4 + channels * itemsize)


def fewest_bytes(num_edges: int, num_src: int, num_dst: int, channels: int, itemsize: int) -> int:
    """Of one whose cache holds x: each row read once."""
    rows = (num_src + num_dst) * channels * itemsize
    return num_edges * (4 + itemsize) + num_dst * 4 + rows
