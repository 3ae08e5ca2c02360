"""How interactions are split into train, val and test: when reading a folder and when making one.

A split is a label per interaction, 0 train, 1 val or 2 test, as the column ``x_label`` holds it.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from crane_pyg.datasets.columns import LABEL, TIMESTAMP

TRAIN, VAL, TEST = 0, 1, 2
SPLIT_NAMES = ("train", "val", "test")  # by label

DrawnSplit = Literal["random", "time", "last", "cold"]  # these need no labels
Split = Literal["given", DrawnSplit]
NEEDED_COLUMN = {"given": LABEL, "time": TIMESTAMP, "last": TIMESTAMP}  # by split
RATIO = (0.8, 0.1, 0.1)
COLD_RATIO = (18, 1, 1)  # of items: one in ten has no training interaction


def label_interactions(
    split: Split,
    user: np.ndarray,
    item: np.ndarray,
    *,
    label: np.ndarray | None = None,
    timestamp: np.ndarray | None = None,
    ratio: Sequence[float] = RATIO,
    seed: int = 0,
) -> np.ndarray:
    """Labels distinct pairs of a user and an item.

    Args:
        split (str): ``'given'`` takes :obj:`label`; ``'random'`` draws over all pairs at once,
            ``'time'`` cuts at two moments that are the same for all users, ``'last'`` takes
            each user's last pair for test and the one before for val, and ``'cold'`` holds out
            all pairs of the items that it draws.
        user (numpy.ndarray): The user of each pair.
        item (numpy.ndarray): The item of each pair.
        label (numpy.ndarray, optional): The label of each pair; needed by ``'given'``.
        timestamp (numpy.ndarray, optional): The time of each pair; needed by ``'time'`` and
            ``'last'``.
        ratio (sequence of float, optional): The shares of train, val and test, for ``'random'``
            and ``'time'``. (default: 0.8, 0.1 and 0.1)
        seed (int, optional): The seed of ``'random'`` and ``'cold'``. Equal seeds label equal
            pairs alike, in whatever order they come. (default: :obj:`0`)

    Shapes:
        - **input:** :math:`(E)` each
        - **output:** labels :math:`(E)` in :obj:`int64`
    """
    if split == "given":
        assert label is not None
        return label
    if split == "random":
        drawn = np.empty(len(user), dtype=np.int64)
        drawn[np.lexsort((item, user))] = split_at_random(len(user), ratio=ratio, seed=seed)
        return drawn
    if split == "cold":
        return split_cold(item, seed=seed)
    assert timestamp is not None
    return split_by_time(timestamp, ratio=ratio) if split == "time" else split_last(user, timestamp)


def split_at_random(num: int, *, ratio: Sequence[float] = RATIO, seed: int = 0) -> np.ndarray:
    """Draws a label for each of :obj:`num` places; val and test are rounded down."""
    order = torch.randperm(num, generator=torch.Generator().manual_seed(seed)).numpy()
    num_val, num_test = (int(part * num / sum(ratio)) for part in ratio[1:])
    label = np.full(num, TRAIN)
    label[order[:num_val]] = VAL
    label[order[num_val : num_val + num_test]] = TEST
    return label


def split_cold(item: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Labels all pairs of an item alike: a twentieth of the items is val, another one test.

    What is held out belongs to items without a training pair, and what is chosen on val is chosen
    for such items. Items are drawn among those that have a pair, whatever their number of pairs.
    """
    items, row = np.unique(item, return_inverse=True)
    return split_at_random(len(items), ratio=COLD_RATIO, seed=seed)[row]


def split_by_time(timestamp: np.ndarray, *, ratio: Sequence[float] = RATIO) -> np.ndarray:
    """Labels pairs by two moments: train is before the first, test from the second on.

    Pairs of one moment stay together, in the later split.
    """
    label = np.full(len(timestamp), TRAIN)
    ordered = np.sort(timestamp)
    share = np.cumsum(ratio) / sum(ratio)
    for value, part in ((VAL, share[0]), (TEST, share[1])):
        cut = ordered[min(round(part * len(ordered)), len(ordered) - 1) :]
        label[timestamp >= cut[:1]] = value
    return label


def split_last(user: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
    """Labels each user's last pair test and the one before val; the rest is train.

    Users with fewer than three pairs train only. Of pairs at one moment the later in order is last.
    """
    order = np.lexsort((timestamp, user))
    count = np.bincount(user)
    from_end = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(user))
    label = np.full(len(user), TRAIN)
    enough = count[user[order]] >= 3
    label[order[enough & (from_end == 0)]] = TEST
    label[order[enough & (from_end == 1)]] = VAL
    return label


def draw_val(
    label: np.ndarray, user: np.ndarray, item: np.ndarray, *, seed: int = 0
) -> tuple[np.ndarray, int]:
    """Draws a tenth of the training pairs for val, rounded down, where a split came without.

    Args:
        label (numpy.ndarray): The label of each pair.
        user (numpy.ndarray): The user of each pair.
        item (numpy.ndarray): The item of each pair.
        seed (int, optional): Equal seeds draw equal pairs, in whatever order they come.
            (default: :obj:`0`)

    Returns:
        the labels, and how many pairs were drawn.
    """
    label = label.copy()
    train = np.flatnonzero(label == TRAIN)
    train = train[np.lexsort((item[train], user[train]))]
    drawn = train[split_at_random(len(train), ratio=(0.9, 0.1, 0.0), seed=seed) == VAL]
    label[drawn] = VAL
    return label, len(drawn)


def check_labels(label: np.ndarray, *, where: str, got: str) -> None:
    """Refuses labels that leave a split empty.

    Args:
        label (numpy.ndarray): The labels.
        where (str): What the message names: the file, and perhaps the column.
        got (str): What led to these labels, for the message.

    Raises:
        ValueError: naming the first split without an interaction.
    """
    for value, count in enumerate(np.bincount(label, minlength=3).tolist()):
        if count == 0:
            raise ValueError(
                f"{where}: the {SPLIT_NAMES[value]} split is empty, no interaction is left with "
                f"the label {value} (got {got})"
            )
