"""Which interactions stay: distinct ones, of users and items that have enough of them.

Users and items are numbers from 0. What is returned points into the rows given, in their order.
"""

import numpy as np


def distinct_pairs(
    user: np.ndarray,
    item: np.ndarray,
    *,
    label: np.ndarray | None = None,
    timestamp: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Keeps the earliest row of each pair of a user and an item.

    The earliest is the one of the earliest split; of several there, the one of the earliest time;
    of several at that time, the first in the file.

    Shapes:
        - **input:** :math:`(R)` each
        - **output:** positions :math:`(E)`, ascending, and the number of pairs found in more than
          one split
    """
    pair = user.astype(np.int64) * (int(item.max(initial=0)) + 1) + item
    keys = [key for key in (timestamp, label, pair) if key is not None]
    order = np.lexsort(keys)  # stable, so the first row of a tie is the first in the file
    ordered = pair[order]
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    num_leaked = 0
    if label is not None:
        last = np.roll(first, -1)
        num_leaked = int((label[order][first] != label[order][last]).sum())
    return np.sort(order[first]), num_leaked


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
    """Gives the numbers that occur new ones, 0, 1, 2 and so on, in the same order.

    Shapes:
        - **input:** :math:`(E)`
        - **output:** new numbers :math:`(E)`, and the former number of each, ascending
    """
    present = np.bincount(codes) > 0
    kept = np.flatnonzero(present)
    return (np.cumsum(present) - 1)[codes], kept
