"""The report of a data set: what it holds, and what was done to it while reading."""

from dataclasses import dataclass

import torch
from torch_geometric.data import HeteroData

from crane_pyg.ops.fill import Missing
from crane_pyg.schema import ITEM_TO_USER, USER_TO_ITEM, modalities


@dataclass(frozen=True)
class DatasetReport:
    """Counts that a person should see before training; :obj:`str` gives one line each.

    Args:
        num_users (int): Users, those without interactions included.
        num_items (int): Items, those without interactions included.
        num_train (int): Training interactions.
        num_val (int): Interactions held out for choosing settings.
        num_test (int): Interactions held out for the final test.
        num_duplicates (int): Rows merged away because they repeat a pair.
        num_leaked (int): Pairs found in more than one split, kept in the earliest.
        num_dropped_users (int): Users left out for having too few interactions.
        users_without_train (int): Users without a training interaction.
        items_without_train (int): Items without a training interaction.
        items_without_modality (int): Items that lack every modality.
        num_missing (dict): How many items lack each modality (their row is all zero).
        notes (tuple, optional): Lines on what only some data sets have. (default: :obj:`()`)
        missing (str, optional): What stands for missing features: ``'mask'``, ``'mean'`` or
            ``'zero'``.
            (default: :obj:`'mask'`)
    """

    num_users: int
    num_items: int
    num_train: int
    num_val: int
    num_test: int
    num_duplicates: int
    num_leaked: int
    num_dropped_users: int
    users_without_train: int
    items_without_train: int
    items_without_modality: int
    num_missing: dict[str, int]
    notes: tuple[str, ...] = ()
    missing: Missing = "mask"

    @classmethod
    def from_data(
        cls,
        data: HeteroData,
        *,
        num_duplicates: int = 0,
        num_leaked: int = 0,
        num_dropped_users: int = 0,
        missing: Missing = "mask",
    ) -> "DatasetReport":
        """Counts what a graph holds, before missing features are filled.

        Args:
            data (HeteroData): A graph as :func:`~crane_pyg.datasets.build_hetero_data` builds it.
            num_duplicates (int, optional): See above, like all that follow: what the graph itself
                does not show. (default: :obj:`0`)
            num_leaked (int, optional): See above. (default: :obj:`0`)
            num_dropped_users (int, optional): See above. (default: :obj:`0`)
            missing (str, optional): See above. (default: :obj:`'mask'`)
        """
        num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
        store = data[USER_TO_ITEM]
        lacking = {name: ~data["item"][f"{name}_mask"] for name in modalities(data)}
        lacks_all = torch.stack(list(lacking.values())).all(0).sum() if lacking else num_items
        return cls(
            num_users=num_users,
            num_items=num_items,
            num_train=store.edge_index.size(1),
            num_val=store.val_edge_label_index.size(1),
            num_test=store.test_edge_label_index.size(1),
            num_duplicates=num_duplicates,
            num_leaked=num_leaked,
            num_dropped_users=num_dropped_users,
            users_without_train=num_users - store.edge_index[0].unique().numel(),
            items_without_train=num_items - data[ITEM_TO_USER].edge_index[0].unique().numel(),
            items_without_modality=int(lacks_all),
            num_missing={name: int(mask.sum()) for name, mask in lacking.items()},
            missing=missing,
        )

    @property
    def num_interactions(self) -> int:
        """All distinct interactions, over the three splits."""
        return self.num_train + self.num_val + self.num_test

    def __str__(self) -> str:
        density = self.num_interactions / (self.num_users * self.num_items)
        lines = [
            f"users: {self.num_users:,} ({self.users_without_train:,} without training edge)",
            f"items: {self.num_items:,} ({self.items_without_train:,} without training edge, "
            f"{self.items_without_modality:,} without any modality)",
            f"interactions: {self.num_interactions:,} (train {self.num_train:,}, val "
            f"{self.num_val:,}, test {self.num_test:,}; density {density:.3%})",
            f"duplicate rows merged: {self.num_duplicates:,}",
            f"pairs in more than one split, kept in the earliest: {self.num_leaked:,}",
            f"users dropped for too few interactions: {self.num_dropped_users:,}",
        ]
        how = {"mask": "", "mean": ", filled with the mean", "zero": ", taken as zeros"}
        lines += [
            f"{name}: {count:,} items lack it (all-zero row){how[self.missing]}"
            for name, count in self.num_missing.items()
        ]
        lines += self.notes
        return "\n".join(lines)
