"""A data set that lies in a folder."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData, InMemoryDataset

from crane_pyg.choices import check_choice
from crane_pyg.datasets.hetero import build_hetero_data
from crane_pyg.datasets.interactions import (
    check_items,
    find_interactions,
    read_interactions,
    split_interactions,
)
from crane_pyg.datasets.npy import check_modality, find_features, read_features
from crane_pyg.datasets.report import DatasetReport
from crane_pyg.datasets.splits import Split, check_labels
from crane_pyg.ops.fill import Missing
from crane_pyg.transforms import FillMissing


class MultimodalDataset(InMemoryDataset):
    r"""Interactions and item features read from the files of one folder.

    The folder holds ``<name>.inter``, a tab-separated table with the columns ``userID``,
    ``itemID`` and ``x_label`` (0 train, 1 val, 2 test), and any number of
    ``<modality>_feat.npy``, whose row :math:`i` belongs to item :math:`i`. An item whose row is
    zero everywhere lacks that modality. A pair that occurs several times is kept once: in its
    earliest split, at its earliest time.

    Files are read at construction and never written, so nothing can go stale. See
    :func:`~crane_pyg.datasets.build_hetero_data` for what ``dataset[0]`` holds and
    :obj:`report` for what was counted on the way.

    Args:
        root (str or Path): The folder.
        name (str, optional): Which ``.inter`` file to read, without its ending. If :obj:`None`,
            the folder must hold exactly one. (default: :obj:`None`)
        split (str, optional): ``'given'`` takes the split from ``x_label``; ``'random'`` draws
            one, 8:1:1 over all interactions. By the column ``timestamp``, ``'time'`` cuts 8:1:1 at
            two moments that are the same for all users, and ``'last'`` takes each user's last
            interaction for test and the one before for val. ``'cold'`` draws a tenth of the items,
            half of them for val and half for test, and holds out all their interactions; a user who
            took nothing else stays, without a training edge. Only ``'given'`` needs ``x_label``.
            (default: :obj:`'given'`)
        seed (int, optional): Seed of the random or cold split. (default: :obj:`0`)
        min_user_interactions (int, optional): Drops, before splitting, users with fewer distinct
            interactions. If any is dropped, the others are renumbered without gaps and
            ``data['user'].original_id`` tells their ids in the file; items keep their ids.
            (default: :obj:`0`)
        missing (str, optional): What stands for features that an item lacks. With ``'mask'``,
            models leave the item out wherever they use that modality; ``'mean'`` and ``'zero'``
            fill something in, see :class:`~crane_pyg.transforms.FillMissing`.
            (default: :obj:`'mask'`)
        transform (callable, optional): Applied at every access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied once, after reading. (default: :obj:`None`)
        force_reload (bool, optional): Taken for the sake of PyG's interface; since nothing is
            cached, the files are always read. (default: :obj:`False`)

    Raises:
        ValueError: naming file, column, line and value, for whatever is wrong with the files,
            and if a split is left empty.
    """

    report: DatasetReport

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        name: str | None = None,
        split: Split = "given",
        seed: int = 0,
        min_user_interactions: int = 0,
        missing: Missing = "mask",
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        check_choice("split", split, Split)
        if min_user_interactions < 0:
            raise ValueError(
                f"`min_user_interactions` must not be negative (got {min_user_interactions})"
            )
        self._fill = FillMissing(missing)
        super().__init__(os.fspath(root), transform, pre_transform, force_reload=force_reload)
        self.split = split
        self.seed = seed
        self.min_user_interactions = min_user_interactions
        self.missing = missing
        self._path = self._locate(name)
        self.name = self._path.stem
        data = self._read()
        self.data = data if pre_transform is None else pre_transform(data)

    @property
    def raw_dir(self) -> str:
        return self.root

    @property
    def raw_file_names(self) -> list[str]:
        paths = [self._path, *find_features(self.folder).values()]
        return [path.name for path in paths]

    @property
    def processed_file_names(self) -> list[str]:
        return []

    @property
    def folder(self) -> Path:
        """Where interactions and features lie, and perhaps ``users.csv`` and ``items.csv``."""
        return self._path.parent

    def _locate(self, name: str | None) -> Path:
        """Returns the path of the interactions, next to which the features lie."""
        return find_interactions(self.root, name)

    def _read(self) -> HeteroData:
        features, masks, source = _read_modalities(self.folder)
        rows = read_interactions(self._path, split=self.split)
        num_items = int(rows.item.max()) + 1
        if source is not None:
            num_items = next(iter(features.values())).size(0)
            check_items(self._path, rows.item, source, num_items)
        found = split_interactions(
            rows,
            split=self.split,
            seed=self.seed,
            min_user_interactions=self.min_user_interactions,
        )
        check_labels(
            found.label,
            where=f"'{self._path}'",
            got=f"{len(found.label):,} interactions with split={self.split!r}, "
            f"min_user_interactions={self.min_user_interactions}",
        )
        num_users = len(found.original_user)
        data = build_hetero_data(
            torch.from_numpy(np.stack([found.user, found.item])),
            torch.from_numpy(found.label),
            num_users=num_users,
            num_items=num_items,
            features=features,
            masks=masks,
        )
        num_dropped = int(rows.user.max()) + 1 - num_users
        if num_dropped > 0:
            data["user"].original_id = torch.from_numpy(found.original_user)
        self.report = DatasetReport.from_data(
            data,
            num_duplicates=found.num_duplicates,
            num_leaked=found.num_leaked,
            num_dropped_users=num_dropped,
            missing=self.missing,
        )
        return self._fill(data)

    def __repr__(self) -> str:
        report = self.report
        return (
            f"{self.__class__.__name__}({self.name!r}, num_users={report.num_users}, "
            f"num_items={report.num_items}, num_interactions={report.num_interactions})"
        )


def _read_modalities(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], Path | None]:
    features: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    first: tuple[Path, int] | None = None
    for name, path in find_features(folder).items():
        check_modality(name, path)
        features[name], masks[name] = read_features(path)
        num_rows = features[name].size(0)
        first = first or (path, num_rows)
        if num_rows != first[1]:
            raise ValueError(
                f"'{path}' must have a row per item, as many as '{first[0]}': {first[1]} "
                f"(got {num_rows})"
            )
    return features, masks, first[0] if first else None
