"""A data set that lies in a folder."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import HeteroData, InMemoryDataset

from crane_pyg.datasets._reader import (
    LABEL,
    TIMESTAMP,
    check_items,
    find_features,
    find_interactions,
    read_features,
    read_interactions,
)
from crane_pyg.datasets.hetero import build_hetero_data, fill_modalities
from crane_pyg.datasets.interactions import (
    SPLIT_NAMES,
    drop_rare_users,
    merge_duplicates,
    random_split,
)
from crane_pyg.datasets.preparation.filters import split_by_time
from crane_pyg.datasets.report import DatasetReport
from crane_pyg.ops.fill import check_missing

SPLITS = {"given": LABEL, "random": None, "time": TIMESTAMP}  # and the column each needs


class MultimodalDataset(InMemoryDataset):
    r"""Interactions and item features read from the files of one folder.

    The folder holds ``<name>.inter``, a tab-separated table with the columns ``userID``,
    ``itemID`` and ``x_label`` (0 train, 1 validation, 2 test), and any number of
    ``<modality>_feat.npy``, whose row :math:`i` belongs to item :math:`i`. An item whose row is
    zero everywhere lacks that modality. A pair that occurs several times is kept once, in its
    earliest split.

    Files are read at construction and never written, so nothing can go stale. See
    :func:`~crane_pyg.datasets.build_hetero_data` for what ``dataset[0]`` holds and
    :obj:`report` for what was counted on the way.

    Args:
        root (str or Path): The folder.
        name (str, optional): Which ``.inter`` file to read, without its ending. If :obj:`None`,
            the folder must hold exactly one. (default: :obj:`None`)
        split (str, optional): ``'given'`` takes the split from ``x_label``; ``'random'`` draws
            one, 8:1:1 over all interactions, ``'time'`` the same by the column ``timestamp``
            at two moments that are the same for all users; these do not need ``x_label``.
            (default: :obj:`'given'`)
        seed (int, optional): Seed of the random split. (default: :obj:`0`)
        min_user_interactions (int, optional): Drops, before splitting, users with fewer distinct
            interactions. If any is dropped, the others are renumbered without gaps and
            ``data['user'].original_id`` tells their ids in the file; items keep their ids.
            (default: :obj:`0`)
        missing (str, optional): What stands for features that an item lacks: ``'mask'`` leaves it
            out wherever they speak, ``'mean'`` and ``'zero'`` are those of
            :class:`~crane_pyg.transforms.FillMissing`. (default: :obj:`'mask'`)
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
        split: str = "given",
        seed: int = 0,
        min_user_interactions: int = 0,
        missing: str = "mask",
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"`split` must be one of {list(SPLITS)} (got {split!r})")
        if min_user_interactions < 0:
            raise ValueError(
                f"`min_user_interactions` must not be negative (got {min_user_interactions})"
            )
        check_missing(missing)
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
        rows, given = read_interactions(self._path, column=SPLITS[self.split])
        num_users, num_items = (rows.max(dim=1).values + 1).tolist()
        if source is not None:
            rows_of_features = next(iter(features.values())).size(0)
            check_items(self._path, rows[1], source, rows_of_features)
            num_items = rows_of_features

        label = torch.zeros_like(rows[0]) if given is None else given
        pairs, label, num_leaked = merge_duplicates(rows, label)
        num_duplicates = rows.size(1) - pairs.size(1)
        original_id = torch.arange(num_users)
        if self.min_user_interactions > 0:
            pairs, label, original_id = drop_rare_users(pairs, label, self.min_user_interactions)
        num_dropped = num_users - original_id.numel()

        if self.split != "given":
            label = self._draw_split(label)
        if self.split == "time":
            num_leaked = 0  # a pair at several moments, kept at the earliest
        self._check_splits(label)
        data = build_hetero_data(
            pairs,
            label,
            num_users=original_id.numel(),
            num_items=num_items,
            features=features,
            masks=masks,
        )
        if num_dropped > 0:
            data["user"].original_id = original_id
        self.report = DatasetReport.from_data(
            data,
            num_duplicates=num_duplicates,
            num_leaked=num_leaked,
            num_dropped_users=num_dropped,
            missing=self.missing,
        )
        fill_modalities(data, self.missing)
        return data

    def _draw_split(self, time: Tensor) -> Tensor:
        if len(time) < 10:
            raise ValueError(
                f"'{self._path}': the split {self.split!r} needs 10 distinct interactions "
                f"(got {len(time)} with "
                f"min_user_interactions={self.min_user_interactions})"
            )
        if self.split == "random":
            return random_split(len(time), self.seed)
        return torch.from_numpy(split_by_time(time.numpy()))

    def _check_splits(self, label: Tensor) -> None:
        for value, count in enumerate(torch.bincount(label, minlength=3).tolist()):
            if count == 0:
                raise ValueError(
                    f"'{self._path}', column '{SPLITS[self.split]}': the {SPLIT_NAMES[value]} "
                    f"split is empty: no pair is left with {LABEL} {value} "
                    f"(got split={self.split!r}, "
                    f"min_user_interactions={self.min_user_interactions})"
                )

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
        features[name], masks[name] = read_features(path)
        num_rows = features[name].size(0)
        first = first or (path, num_rows)
        if num_rows != first[1]:
            raise ValueError(
                f"'{path}' must have a row per item, as many as '{first[0]}': {first[1]} "
                f"(got {num_rows})"
            )
    return features, masks, first[0] if first else None
