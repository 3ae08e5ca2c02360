"""Which interactions stay, and in which split; numbers in, numbers out.

Users and items are numbers from 0. What is returned points into the rows given, in their order.
"""

from collections.abc import Sequence

import numpy as np
from numpy.random import default_rng

from crane_pyg.datasets.interactions import TEST, TRAIN, VAL

RATIO = (0.8, 0.1, 0.1)


def distinct_pairs(
    user: np.ndarray,
    item: np.ndarray,
    *,
    timestamp: np.ndarray | None = None,
    label: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Chooses one row of each pair: of the earliest split, then the latest time, then the last.

    Shapes:
        - **input:** :math:`(R)` each
        - **output:** positions :math:`(E)`, ascending, and the number of pairs found in more than
          one split
    """
    key = user.astype(np.int64) * (int(item.max(initial=0)) + 1) + item
    keys = [key]
    if label is not None:
        keys.insert(0, -label.astype(np.int64))
    if timestamp is not None:
        keys.insert(0, timestamp)
    order = np.lexsort(keys)  # stable, so the last row of a tie is the last in the file
    ordered = key[order]
    last = np.append(ordered[1:] != ordered[:-1], True) if len(key) else np.zeros(0, dtype=bool)
    leaked = 0
    if label is not None:
        first = np.roll(last, 1)
        leaked = int((label[order][first] != label[order][last]).sum())
    return np.sort(order[last]), leaked


def k_core(
    user: np.ndarray, item: np.ndarray, *, min_user: int = 0, min_item: int = 0
) -> np.ndarray:
    """Drops rows of users and items with too few of them, until all that stay have enough.

    Shapes:
        - **input:** distinct pairs, :math:`(E)` each
        - **output:** which stay, :math:`(E)`
    """
    stays = np.arange(len(user))
    while True:
        enough_user = np.bincount(user[stays])[user[stays]] >= min_user
        enough_item = np.bincount(item[stays])[item[stays]] >= min_item
        enough = enough_user & enough_item
        if enough.all():
            break
        stays = stays[enough]
    kept = np.zeros(len(user), dtype=bool)
    kept[stays] = True
    return kept


def renumber(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers what occurs without gaps.

    Shapes:
        - **input:** :math:`(E)`
        - **output:** new numbers :math:`(E)`, and the former number of each, ascending
    """
    present = np.bincount(codes) > 0
    kept = np.flatnonzero(present)
    return (np.cumsum(present) - 1)[codes], kept


def split_random(num: int, *, ratio: Sequence[float] = RATIO, seed: int = 0) -> np.ndarray:
    """Labels rows at random, over all users at once; validation and test are rounded down."""
    label = np.full(num, TRAIN)
    order = default_rng(seed).permutation(num)
    num_val, num_test = (int(part * num / sum(ratio)) for part in ratio[1:])
    label[order[:num_val]] = VAL
    label[order[num_val : num_val + num_test]] = TEST
    return label


def split_by_time(timestamp: np.ndarray, *, ratio: Sequence[float] = RATIO) -> np.ndarray:
    """Labels rows by two moments that are the same for all users: train is before the first.

    Rows of one moment stay together, in the later split.
    """
    label = np.full(len(timestamp), TRAIN)
    ordered = np.sort(timestamp)
    share = np.cumsum(ratio) / sum(ratio)
    for value, part in ((VAL, share[0]), (TEST, share[1])):
        cut = ordered[min(round(part * len(ordered)), len(ordered) - 1)]
        label[timestamp >= cut] = value
    return label


def split_last(user: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
    """Labels each user's last row test and the one before validation; the rest is train.

    Users with fewer than three rows train only. Of rows at one moment the later in order is last.
    """
    order = np.lexsort((timestamp, user))
    count = np.bincount(user)
    from_end = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(user))
    label = np.full(len(user), TRAIN)
    enough = count[user[order]] >= 3
    label[order[enough & (from_end == 0)]] = TEST
    label[order[enough & (from_end == 1)]] = VAL
    return label
