"""Exact nearest neighbours by blocks of the similarity matrix."""

import torch
from torch import Tensor

# On a CPU blocks that stay in cache win: 23,033 x 128 took 3.9 s with blocks of 4 MB, 4.6 s with
# 16 MB and 9.0 s with 64 MB. Accelerators want fewer, larger launches.
CPU_BLOCK_BYTES = 2**23
BLOCK_BYTES = 2**26
GROUP = 32  # columns of which the largest is found first


def blocked(unit: Tensor, k: int, query: Tensor) -> Tensor:
    """The k most similar other rows of some rows; of equally similar ones, the first.

    Holds one block of rows of the similarity matrix at a time, never all of it.
    """
    n = unit.size(0)
    block_bytes = CPU_BLOCK_BYTES if unit.device.type == "cpu" else BLOCK_BYTES
    rows = max(1, block_bytes // (n * unit.element_size()))
    neighbour = torch.empty(query.numel(), k, dtype=torch.long, device=unit.device)
    for start in range(0, query.numel(), rows):
        own = query[start : start + rows]
        sim = unit[own] @ unit.t()  # [rows, N]
        sim.scatter_(1, own.view(-1, 1), -torch.inf)
        # One more than asked for shows whether the k-th place is shared.
        value, index = _topk(sim, k + 1)  # [rows, k + 1]
        shared = (value[:, k - 1] == value[:, k]).nonzero().view(-1)
        neighbour[start : start + rows] = index[:, :k]
        if shared.numel() > 0:
            neighbour[start + shared] = _first_of_equals(sim[shared], value[shared, k - 1], k)
    return neighbour


def _topk(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """``x.topk(k)``, on a CPU by the maxima of groups of columns.

    The k largest lie in the k groups with the largest maxima, and a maximum takes a tenth of the
    time that ``topk`` takes for an entry.
    """
    rows, n = x.shape
    if x.is_cuda or n < GROUP * max(64, 4 * k):
        return x.topk(k, dim=1)
    whole = n - n % GROUP
    best = x[:, :whole].view(rows, -1, GROUP).amax(2).topk(k, dim=1, sorted=False).indices
    column = best.unsqueeze(2) * GROUP + torch.arange(GROUP, device=x.device)  # [rows, k, GROUP]
    rest = torch.arange(whole, n, device=x.device).expand(rows, -1)
    column = torch.cat([column.view(rows, -1), rest], dim=1)
    value, place = x.gather(1, column).topk(k, dim=1)
    return value, column.gather(1, place)


def _first_of_equals(sim: Tensor, threshold: Tensor, k: int) -> Tensor:
    """torch.topk returns any of the entries equal to the k-th largest; this, the first."""
    above = sim > threshold.view(-1, 1)
    equal = sim == threshold.view(-1, 1)
    room = k - above.sum(dim=1, keepdim=True)
    keep = above | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    return keep.nonzero()[:, 1].view(-1, k)
