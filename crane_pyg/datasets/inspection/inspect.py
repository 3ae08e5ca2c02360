"""Looks at a data set as it lies there, and goes on where reading it would stop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crane_pyg.datasets._reader import (
    find_features,
    find_interactions,
    open_features,
    read_interactions,
)
from crane_pyg.datasets.inspection.features import Modality, count_features
from crane_pyg.datasets.inspection.interactions import Interactions, count_interactions
from crane_pyg.datasets.inspection.judge import judge
from crane_pyg.datasets.interactions import random_split
from crane_pyg.datasets.synthetic import PRESETS, SyntheticMultimodal
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
    """Counts what is in a folder, or in a synthetic preset, and says all that is wrong with it.

    Args:
        source: as :func:`~crane_pyg.datasets.load_dataset` takes it.
        split (str, optional): ``'given'`` by the column ``x_label``, or ``'random'``.
            (default: :obj:`'given'`)
        seed (int, optional): Of the random split, or of the preset. (default: :obj:`0`)

    Raises:
        ValueError: if :obj:`source` is neither; what is wrong with its files does not raise.
    """
    if Path(source).is_dir():
        return _inspect_folder(Path(source), split, seed)
    if source not in PRESETS:
        raise ValueError(
            f"data must be a folder or one of the presets {', '.join(PRESETS)} (got '{source}')"
        )
    data = SyntheticMultimodal(str(source), seed=seed)[0]
    store = data[USER_TO_ITEM]
    parts = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    pairs = np.concatenate([part.numpy() for part in parts], axis=1)
    label = np.repeat(np.arange(3), [part.size(1) for part in parts])
    features = {name: data["item"][f"x_{name}"].numpy() for name in modalities(data)}
    return _inspect(str(source), pairs, label, features, [])


def _inspect_folder(folder: Path, split: str, seed: int) -> Inspection:
    errors: list[str] = []
    features: dict[str, np.ndarray] = {}
    for name, path in find_features(folder).items():
        try:
            features[name] = open_features(path)
        except (ValueError, OSError) as error:
            errors.append(str(error))
    pairs, label, title = None, None, folder.name
    try:
        path = find_interactions(folder)
        title = path.stem
        rows, given = read_interactions(path, labelled=split == "given")
        pairs = rows.numpy()
        if given is None:
            pairs = np.unique(pairs, axis=1)
            label = random_split(pairs.shape[1], seed).numpy()
        else:
            label = given.numpy()
    except (ValueError, OSError) as error:
        errors.append(str(error))
    return _inspect(title, pairs, label, features, errors)


def _inspect(
    name: str,
    pairs: np.ndarray | None,
    label: np.ndarray | None,
    features: Mapping[str, np.ndarray],
    errors: list[str],
) -> Inspection:
    num_rows = max((len(x) for x in features.values()), default=0)
    interactions, train = None, np.empty((2, 0), dtype=np.int64)
    if pairs is not None and label is not None:
        num_users, num_items = (int(side.max()) + 1 for side in pairs)
        interactions = count_interactions(pairs, label, num_users, max(num_items, num_rows))
        train = pairs[:, label == 0]
    found, present = {}, {}
    for modality, x in features.items():
        counted = count_features(x, train[:, train[1] < len(x)])
        found[modality], present[modality] = counted
    wrong, odd = judge(interactions, found, None if pairs is None else int(pairs[1].max()) + 1)
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
