"""Looks at a data set with the code that reads it, and goes on where reading would stop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.data import HeteroData

from crane_pyg.choices import check_choice
from crane_pyg.datasets.interactions import (
    Interactions,
    find_interactions,
    read_interactions,
    split_interactions,
)
from crane_pyg.datasets.load import holds_originals, load_dataset
from crane_pyg.datasets.multimodal import MultimodalDataset
from crane_pyg.datasets.npy import check_modality, find_features, open_features
from crane_pyg.datasets.splits import Split
from crane_pyg.inspection.faults import find_faults
from crane_pyg.inspection.features import Modality, count_features
from crane_pyg.inspection.interactions import InteractionCounts, count_interactions
from crane_pyg.schema import USER_TO_ITEM, modalities


@dataclass(frozen=True)
class Inspection:
    """What :func:`inspect_dataset` found.

    Args:
        name (str): The name of the data set.
        interactions (InteractionCounts, optional): Counts of the interactions; :obj:`None` if they
            could not be read.
        modalities (dict): Counts of the features that could be read, by modality.
        overlap (dict): The number of items that have a set of modalities, such as
            ``'image + text'`` or ``'none'``, the most frequent first.
        errors (tuple): Faults that would make training impossible or its results wrong.
        warnings (tuple): What is unusual, but handled.

    Examples:
        >>> from crane_pyg.inspection import Inspection, inspect_dataset
        >>> found = inspect_dataset("tiny")
        >>> isinstance(found, Inspection), list(found.modalities), found.errors
        (True, ['textual', 'visual'], ())
        >>> found.overlap
        {'textual + visual': 200}
    """

    name: str
    interactions: InteractionCounts | None
    modalities: dict[str, Modality]
    overlap: dict[str, int]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns numbers, texts and lists, as JSON takes them."""
        return asdict(self)


def inspect_dataset(source: str | Path, *, split: Split = "given", seed: int = 0) -> Inspection:
    """Counts what is in a data set, and finds all that is wrong with it.

    Args:
        source (str or Path): See :func:`~crane_pyg.datasets.load_dataset`. A folder that holds an
            ``.inter`` file and features is looked at as it lies there; others are read first.
        split (str, optional): See :class:`~crane_pyg.datasets.MultimodalDataset`.
            (default: :obj:`'given'`)
        seed (int, optional): The seed of the random or cold split, or of the preset.
            (default: :obj:`0`)

    Raises:
        ValueError: if there is no such data set or split. What is wrong with the files of a
            folder does not raise.
    """
    check_choice("split", split, Split)
    folder = Path(source)
    if not folder.is_dir() or holds_originals(folder):
        dataset = load_dataset(source, split=split, seed=seed)
        if not isinstance(dataset, MultimodalDataset):
            return _inspect_graph(dataset.name, dataset[0])
        folder = dataset.folder
    return _inspect_folder(folder, split, seed)


def _inspect_graph(name: str, data: HeteroData) -> Inspection:
    store = data[USER_TO_ITEM]
    parts = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    user, item = np.concatenate([part.numpy() for part in parts], axis=1)
    label = np.repeat(np.arange(3), [part.size(1) for part in parts])
    features = {m: data["item"][f"x_{m}"].numpy() for m in modalities(data)}
    return _inspect(name, Interactions(user, item, label), features, [])


def _inspect_folder(folder: Path, split: Split, seed: int) -> Inspection:
    errors: list[str] = []
    opened = {name: _open(name, path, errors) for name, path in find_features(folder).items()}
    features = {modality: x for modality, x in opened.items() if x is not None}
    name, rows, num_merged = folder.name, None, 0
    try:
        path = find_interactions(folder)
        name = path.stem
        rows = read_interactions(path, split=split)
    except (ValueError, OSError) as error:
        errors.append(str(error))
    if rows is not None and split != "given":
        found = split_interactions(rows, split=split, seed=seed)
        rows, num_merged = Interactions(found.user, found.item, found.label), found.num_duplicates
    return _inspect(name, rows, features, errors, num_merged)


def _open(modality: str, path: Path, errors: list[str]) -> np.ndarray | None:
    try:
        check_modality(modality, path)
        return open_features(path)
    except (ValueError, OSError) as error:
        errors.append(str(error))
        return None


def _inspect(
    name: str,
    rows: Interactions | None,
    features: Mapping[str, np.ndarray],
    errors: list[str],
    num_merged: int = 0,
) -> Inspection:
    """Counts labelled rows, from which ``num_merged`` others are gone already."""
    num_rows = max((len(x) for x in features.values()), default=0)
    interactions, train, num_items = None, np.empty((2, 0), dtype=np.int64), 0
    if rows is not None:
        user, item, label, _ = rows
        assert label is not None
        num_users, num_items = int(user.max()) + 1, int(item.max()) + 1
        pairs = np.stack([user, item])
        interactions = count_interactions(pairs, label, num_users, max(num_items, num_rows))
        train = pairs[:, label == 0]
    found, present = {}, {}
    for modality, x in features.items():
        counted = count_features(x, train[:, train[1] < len(x)])
        found[modality], present[modality] = counted
    wrong, odd = find_faults(interactions, found, num_items)
    if num_merged:
        odd.insert(0, f"{num_merged:,} rows repeat a pair, and are merged")
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
