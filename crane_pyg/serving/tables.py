from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crane_pyg.choices import check_choice
from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.content import Look, read_looks
from crane_pyg.serving.fold_in import FoldIn, read_fold_in
from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scoring import Similarity


@dataclass(frozen=True)
class Vectors:
    """Embeddings, and how a pair of them scores.

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``; of length one, where cosines are compared
    """

    user: Array
    item: Array
    similarity: Similarity
    blocks: int
    fold_in: FoldIn


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
        share: of the linear scores, where there are both.
        looks: what items are like, by modality.
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
    looks: dict[str, Look]


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
        )
    linear: Rows | Array | None = None
    if "linear" in artefact:
        linear = artefact.array("linear", num_items, num_items)
    elif "linear_start" in artefact:
        linear = artefact.rows("linear", num_items, num_items)
    if vectors is None and linear is None:
        raise ValueError(f"'{artefact.folder}' must hold 'item' or 'linear' (got neither)")
    seen = artefact.rows("seen", num_users, num_items)
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
        read_looks(artefact, about["modalities"], num_items),
    )
