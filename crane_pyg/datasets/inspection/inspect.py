"""Looks at a data set as it lies there, and goes on where reading it would stop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.datasets._reader import (
    find_features,
    find_interactions,
    open_features,
    read_interactions,
)
from crane_pyg.datasets.inspection.features import Modality, count_features
from crane_pyg.datasets.inspection.interactions import Interactions, count_interactions
from crane_pyg.datasets.inspection.judge import judge
from crane_pyg.datasets.interactions import merge_duplicates, random_split
from crane_pyg.datasets.load import load_dataset
from crane_pyg.datasets.multimodal import SPLITS, MultimodalDataset
from crane_pyg.datasets.preparation.filters import split_by_time
from crane_pyg.schema import USER_TO_ITEM, modalities


@dataclass(frozen=True)
class Inspection:
    """What :func:`inspect_dataset` found.

    Args:
        name (str): Of the data set.
        interactions: :obj:`None` if they could not be read.
        modalities (dict): By name, those that could be read.
        overlap (dict): How many items have which modalities, such as ``'image + text'`` or
            ``'none'``, the most frequent first.
        errors (tuple): What would make training impossible or its results wrong.
        warnings (tuple): What is unusual, and handled.
    """

    name: str
    interactions: Interactions | None
    modalities: dict[str, Modality]
    overlap: dict[str, int]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Numbers, texts and lists, as JSON takes them."""
        return asdict(self)


def inspect_dataset(source: str | Path, *, split: str = "given", seed: int = 0) -> Inspection:
    """Counts what is in a data set, and says all that is wrong with it.

    Args:
        source: as :func:`~crane_pyg.datasets.load_dataset` takes it. A folder of ``<name>.inter``
            and features is looked at as it lies there; others are read first.
        split (str, optional): As :class:`~crane_pyg.datasets.MultimodalDataset` takes it.
            (default: :obj:`'given'`)
        seed (int, optional): Of the random split, or of the preset. (default: :obj:`0`)

    Raises:
        ValueError: if :obj:`source` is nothing that can be read; what is wrong with the files of a
            folder does not raise.
    """
    folder = Path(source)
    if not folder.is_dir() or ((folder / "raw").is_dir() and not any(folder.glob("*.inter"))):
        dataset = load_dataset(source, split=split, seed=seed)
        if not isinstance(dataset, MultimodalDataset):
            return _inspect_graph(dataset.name, dataset[0])
        folder = dataset.folder
    return _inspect_folder(folder, split, seed)


def _inspect_graph(name: str, data: HeteroData) -> Inspection:
    store = data[USER_TO_ITEM]
    parts = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    pairs = np.concatenate([part.numpy() for part in parts], axis=1)
    label = np.repeat(np.arange(3), [part.size(1) for part in parts])
    features = {m: data["item"][f"x_{m}"].numpy() for m in modalities(data)}
    return _inspect(name, (pairs, label), features, [])


def _inspect_folder(folder: Path, split: str, seed: int) -> Inspection:
    errors: list[str] = []
    opened = {name: _open(path, errors) for name, path in find_features(folder).items()}
    features = {name: x for name, x in opened.items() if x is not None}
    log, title, merged = None, folder.name, 0
    try:
        path = find_interactions(folder)
        title = path.stem
        rows, column = read_interactions(path, column=SPLITS[split])
        pairs, label = rows, torch.zeros_like(rows[0]) if column is None else column
        if split != "given":
            pairs, label, _ = merge_duplicates(pairs, label)
            merged = rows.size(1) - pairs.size(1)
            label = random_split(label.numel(), seed) if split == "random" else _by_time(label)
        log = pairs.numpy(), label.numpy()
    except (ValueError, OSError) as error:
        errors.append(str(error))
    return _inspect(title, log, features, errors, merged)


def _open(path: Path, errors: list[str]) -> np.ndarray | None:
    try:
        return open_features(path)
    except (ValueError, OSError) as error:
        errors.append(str(error))
        return None


def _by_time(time: Tensor) -> Tensor:
    return torch.from_numpy(split_by_time(time.numpy()))


def _inspect(
    name: str,
    log: tuple[np.ndarray, np.ndarray] | None,
    features: Mapping[str, np.ndarray],
    errors: list[str],
    merged: int = 0,
) -> Inspection:
    """Of a log, pairs and labels, and of ``merged`` rows that are no longer in it."""
    num_rows = max((len(x) for x in features.values()), default=0)
    interactions, train, num_items = None, np.empty((2, 0), dtype=np.int64), 0
    if log is not None:
        pairs, label = log
        num_users, num_items = (int(side.max()) + 1 for side in pairs)
        interactions = count_interactions(pairs, label, num_users, max(num_items, num_rows))
        train = pairs[:, label == 0]
    found, present = {}, {}
    for modality, x in features.items():
        counted = count_features(x, train[:, train[1] < len(x)])
        found[modality], present[modality] = counted
    wrong, odd = judge(interactions, found, num_items)
    if merged:
        odd.insert(0, f"{merged:,} rows repeat a pair, and are merged")
    return Inspection(
        name=name,
        interactions=interactions,
        modalities=found,
        overlap=_overlap(present, num_rows),
        errors=(*errors, *wrong),
        warnings=tuple(odd),
    )


def _overlap(present: Mapping[str, np.ndarray], num_rows: int) -> dict[str, int]:
    pattern = np.zeros(num_rows, dtype=np.int64)
    for bit, mask in enumerate(present.values()):
        pattern[: len(mask)] += mask.astype(np.int64) << bit
    codes, counts = np.unique(pattern, return_counts=True)
    names = [
        " + ".join(name for bit, name in enumerate(present) if code >> bit & 1) or "none"
        for code in codes.tolist()
    ]
    order = np.argsort(-counts, kind="stable")
    return {names[n]: int(counts[n]) for n in order}
