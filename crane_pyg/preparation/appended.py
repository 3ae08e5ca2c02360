"""New interactions, users and items at the end of a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane_pyg.datasets.columns import IMAGE, ITEM, LABEL, ORIGINAL_ID, TITLE, USER, Role
from crane_pyg.datasets.splits import TRAIN, VAL
from crane_pyg.datasets.tables import open_table, read_columns
from crane_pyg.preparation.aligned_features import align_features
from crane_pyg.preparation.column_choice import choose_column
from crane_pyg.preparation.raw_interactions import NOTHING


class Appended(NamedTuple):
    """A data set with something new at the end.

    Args:
        interactions: ``userID``, ``itemID`` and ``x_label`` of old and new pairs.
        user_ids, item_ids: original ids, the old ones first.
        num_new: pairs that were not there.
        features: by modality ``[N, d]``; rows of zeros for new items without.
        titles, pictures: of the items, where the data set has them.
    """

    interactions: pd.DataFrame
    user_ids: list[str]
    item_ids: list[str]
    num_new: int
    features: dict[str, np.ndarray]
    titles: list[str] | None
    pictures: list[str] | None


def append_interactions(
    interactions: pd.DataFrame,
    user_ids: Sequence[str],
    items: pd.DataFrame,
    features: Mapping[str, np.ndarray],
    log: Path,
    *,
    new_items: Path | None = None,
    new_features: Mapping[str, Path] | None = None,
    val_share: float = 0.1,
    seed: int = 0,
) -> Appended:
    """Append a log to a data set.

    Ids that are new get numbers behind those there are, in the order in which they occur. A pair
    that is there already stays where it is. Of the new ones a share goes to validation, drawn by
    ``seed``, and the others to training.

    Args:
        interactions: ``userID``, ``itemID``, ``x_label``.
        user_ids: original ids of the users.
        items: ``original_id`` and perhaps ``title`` and ``image`` of the items.
        features: of the items there are, by modality.
        log: table of the new interactions, as ``prepare`` takes it.
        new_items: table of items, for titles and pictures. (default: none)
        new_features: files of features of new items by modality, as ``prepare`` takes them.
        val_share: of the new pairs.
        seed: of the draw.

    Raises:
        ValueError: naming file, line and value, if an id is missing, or features do not fit.
    """
    table = open_table(log)
    names = [
        str(choose_column(table, role, None, needed=True, option=f"--{role}-column"))
        for role in (Role.USER, Role.ITEM)
    ]
    new_users, new_item_ids = read_columns(table, names)
    for column, values in zip(names, (new_users, new_item_ids), strict=True):
        for row, value in enumerate(values):
            if value.strip().lower() in NOTHING:
                raise ValueError(
                    f"{table.where(row)}, column '{column}': must be an id (got {value!r})"
                )
    users = list(dict.fromkeys([*user_ids, *new_users]))
    item_ids = list(dict.fromkeys([*items[ORIGINAL_ID], *new_item_ids]))
    pairs = pd.DataFrame(
        {
            USER: _numbers(users, new_users),
            ITEM: _numbers(item_ids, new_item_ids),
        }
    ).drop_duplicates()
    there = pd.MultiIndex.from_frame(interactions[[USER, ITEM]])
    pairs = pairs[~pd.MultiIndex.from_frame(pairs).isin(there)]
    draw = np.random.default_rng(seed).random(len(pairs))
    pairs = pairs.assign(**{LABEL: np.where(draw < val_share, VAL, TRAIN)})
    added = item_ids[len(items) :]
    whole = pd.concat([interactions[[USER, ITEM, LABEL]], pairs], ignore_index=True)
    told = {} if new_items is None else _texts(new_items)
    texts = {
        name: [*items[name], *(told.get(name, {}).get(item, "") for item in added)]
        for name in (TITLE, IMAGE)
        if name in items
    }
    return Appended(
        whole,
        users,
        item_ids,
        len(pairs),
        {m: _grown(m, x, added, new_features or {}) for m, x in features.items()},
        texts.get(TITLE),
        texts.get(IMAGE),
    )


def _numbers(ids: Sequence[str], wanted: Sequence[str]) -> list[int]:
    number = {name: place for place, name in enumerate(ids)}
    return [number[name] for name in wanted]


def _grown(
    modality: str, x: np.ndarray, added: Sequence[str], files: Mapping[str, Path]
) -> np.ndarray:
    rows = np.zeros((len(added), x.shape[1]), dtype=x.dtype)
    if modality in files and added:
        aligned = align_features(files[modality], added)
        if aligned.stored.shape[1] != x.shape[1]:
            raise ValueError(
                f"'{files[modality]}' must be {x.shape[1]} wide, as '{modality}' is (got "
                f"{aligned.stored.shape[1]})"
            )
        rows = np.concatenate(list(aligned.blocks()))
    return np.concatenate([x, rows])


def _texts(path: Path) -> dict[str, Any]:
    """Titles and names of pictures by the items' ids."""
    table = open_table(path)
    ids = choose_column(table, Role.ITEM, None, needed=True, option="--items")
    found = {}
    for name in (TITLE, IMAGE):
        column = next((column for column in table.columns if column.lower() == name), None)
        if column is not None:
            found[name] = dict(zip(*read_columns(table, [str(ids), column]), strict=True))
    return found
