from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crane_pyg.choices import check_choice
from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.content import Look, read_looks
from crane_pyg.serving.fold_in import FoldIn, read_fold_in
from crane_pyg.serving.history_fit import HistoryFit, read_history_fit
from crane_pyg.serving.item_graph import ItemGraph, read_item_graph
from crane_pyg.serving.neighbours import Finder, read_neighbours
from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scoring import Similarity


@dataclass(frozen=True)
class Vectors:
    """Embeddings, and how a pair of them scores.

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``; of length one, where cosines are compared
        - **user_norm:** ``[M]``, **item_norm:** ``[N]``, what their lengths were then
    """

    user: Array
    item: Array
    similarity: Similarity
    blocks: int
    fold_in: FoldIn
    fit: HistoryFit | None = None
    user_norm: Array | None = None
    item_norm: Array | None = None

    def norm_of(self, item: int) -> float:
        """The length of an item's vector where it was made one, else 1."""
        return 1.0 if self.item_norm is None else float(self.item_norm[item]) or 1.0

    def raw_item(self, item: int) -> Array:
        """An item's vector as long as it was, ``[d]`` float64."""
        vector = np.asarray(self.item[item], dtype=np.float64)
        return vector if self.item_norm is None else vector * float(self.item_norm[item])

    def raw_items(self, items: Array) -> Array:
        """The vectors of some items, as long as they were, ``[n, d]``."""
        rows = np.asarray(self.item[items])
        return rows if self.item_norm is None else rows * self.item_norm[items, None]


@dataclass(frozen=True)
class Tables:
    """All that an artefact says, with numbers for users and items.

    Args:
        user_ids, item_ids: the original ids.
        titles: of the items, or none at all.
        pictures: paths of the items' pictures, empty for an item without one, or none at all.
        seen: what users have taken, that of training first.
        trained: how much of that is of training, ``[M]``.
        taken: how many took an item in training, ``[N]``.
        vectors: embeddings, where the model has them.
        linear: what items say for items, ``[N, N]``, where the model has that.
        share: of the linear scores, where there are both, of whoever took any number of items.
        half_share_at: how many somebody must have taken for half of it.
        looks: what items are like, by modality.
        graph: what vectors of items have of their neighbours, where the model has that.
        finder: what finds the neighbours of items that are added later.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    titles: Sequence[str] | None
    pictures: Sequence[str] | None
    seen: Rows
    trained: Array
    taken: Array
    vectors: Vectors | None
    linear: Rows | Array | None
    share: float
    half_share_at: float
    looks: dict[str, Look]
    graph: ItemGraph | None
    finder: Finder

    def share_of(self, history: Array) -> float:
        """The share for whoever took some items, as single precision has it."""
        length, half = np.float32(len(history)), np.float32(self.half_share_at)
        return float(np.float32(self.share) * (length / np.maximum(length + half, 1)))


def read_tables(artefact: Artefact) -> Tables:
    """The tables of an artefact.

    Raises:
        ValueError: if something is missing, or does not fit.
    """
    about = artefact.about
    try:
        return _read(artefact, about)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"'{artefact.folder}' must say how its arrays become scores (got "
            f"{type(error).__name__}: {error})"
        ) from error


def _read(artefact: Artefact, about: dict[str, Any]) -> Tables:
    user_ids, item_ids = artefact.texts("user_ids"), artefact.texts("item_ids")
    num_users, num_items = len(user_ids), len(item_ids)
    vectors = None
    if "item" in artefact:
        item = artefact.array("item", num_items, None)
        check_choice(f"the similarity of '{artefact.folder}'", about["similarity"], Similarity)
        vectors = Vectors(
            artefact.array("user", num_users, item.shape[1]),
            item,
            about["similarity"],
            int(about["blocks"]),
            read_fold_in(artefact, about["fold_in"], item),
            read_history_fit(artefact, about["fold_in"], item, about["similarity"] == "cosine"),
            artefact.array("user_norm", num_users) if "user_norm" in artefact else None,
            artefact.array("item_norm", num_items) if "item_norm" in artefact else None,
        )
    linear: Rows | Array | None = None
    if "linear" in artefact:
        linear = artefact.array("linear", num_items, num_items)
    elif "linear_start" in artefact:
        linear = artefact.rows("linear", num_items, num_items)
    if vectors is None and linear is None:
        raise ValueError(f"'{artefact.folder}' must hold 'item' or 'linear' (got neither)")
    seen = artefact.rows("seen", num_users, num_items)
    looks = read_looks(artefact, about["modalities"], num_items)
    width = 0 if vectors is None else vectors.item.shape[1]
    return Tables(
        user_ids,
        item_ids,
        artefact.texts("titles", num_items) if "titles_start" in artefact else None,
        artefact.texts("pictures", num_items) if "pictures_start" in artefact else None,
        seen,
        artefact.array("trained", num_users),
        artefact.array("taken", num_items),
        vectors,
        linear,
        float(about["share"]),
        float(about["half_share_at"]),
        looks,
        read_item_graph(artefact, about["graph"], num_items, width),
        read_neighbours(artefact, about["neighbours"], looks, num_items),
    )
