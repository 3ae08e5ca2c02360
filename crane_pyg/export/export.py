from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_geometric.data import HeteroData

from crane_pyg.encoders import WordProjection
from crane_pyg.export.card import model_card
from crane_pyg.export.fold_in import fold_in_arrays
from crane_pyg.export.item_graph import item_graph_arrays
from crane_pyg.export.looks import look_arrays
from crane_pyg.export.neighbours import neighbour_arrays
from crane_pyg.nn.linear import DenseItemToItem, ItemToItem, SparseItemToItem
from crane_pyg.nn.models import CRANE, DGVAE, Recommender
from crane_pyg.nn.models.solved import LinearRecommender
from crane_pyg.ops import unit_rows
from crane_pyg.schema import USER_TO_ITEM, sizes
from crane_pyg.serving.artefact import as_arrays, write_artefact
from crane_pyg.serving.rows import Rows


class ItemTexts(NamedTuple):
    """What people see of the items, in the order of their numbers.

    Args:
        titles: of the items. (default: none)
        pictures: paths of their pictures, empty for an item without one. (default: none)
    """

    titles: Sequence[str] | None = None
    pictures: Sequence[str] | None = None


@torch.no_grad()
def export_model(
    model: Recommender,
    data: HeteroData,
    out: Path | str,
    *,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    texts: ItemTexts | None = None,
    words: WordProjection | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained model as an artefact, which :class:`crane_pyg.serving.Recommender` answers
    from without torch and without the data.

    Args:
        model: trained.
        data: the graph that it was trained on, on the CPU.
        out: the folder: new, empty, or an artefact, which is replaced.
        user_ids, item_ids: the original ids, in the order of the numbers.
        texts: what people see of the items.
        words: by which texts of new items are encoded as those of the data were.
        about: what the artefact shall say of its origin: ``model``, ``settings``, ``data``,
            ``metrics`` and the like, as JSON can hold it.

    Raises:
        ValueError: if ids do not match the data, a score is not finite, or the folder holds
            something else.
    """
    num_users, num_items = sizes(data)
    if (len(user_ids), len(item_ids)) != (num_users, num_items):
        raise ValueError(
            f"there must be an id for each of {num_users} users and {num_items} items (got "
            f"{len(user_ids)} and {len(item_ids)})"
        )
    model.eval()
    note: dict[str, Any] = dict(about or {})
    lists: dict[str, Sequence[str]] = {"user_ids": user_ids, "item_ids": item_ids}
    given = (texts or ItemTexts())._asdict()
    lists |= {name: lines for name, lines in given.items() if lines is not None}
    if words is not None:
        lists["words"] = words.words
    rows = {"seen": _seen(data)}
    edges = data[USER_TO_ITEM].edge_index
    arrays = {
        "trained": torch.bincount(edges[0], minlength=num_users).int().numpy(),
        "taken": torch.bincount(edges[1], minlength=num_items).int().numpy(),
    }
    if words is not None:
        arrays |= {"word_weight": words.weight, "word_vectors": words.vectors}
    linear, shares = _linear(model)
    note |= shares
    if isinstance(linear, SparseItemToItem):
        parts = (linear.rowptr, linear.col.int(), linear.value)
        rows["linear"] = Rows(*(part.numpy() for part in parts))
    elif isinstance(linear, DenseItemToItem):
        arrays["linear"] = linear.weight.numpy()
    if not isinstance(model, LinearRecommender):
        vectors, scored = _vectors(model, data)
        arrays |= vectors
        note |= scored
    note["modalities"], looks = look_arrays(data)
    note["graph"], layers, edges_of_items = item_graph_arrays(model, data)
    graph = None if note["graph"] is None else getattr(model, "item_graph", None)
    note["neighbours"], found = neighbour_arrays(graph, data)
    arrays |= looks | layers | found
    rows |= edges_of_items
    _check_finite(arrays)
    card = model_card(note, num_users, num_items)
    write_artefact(out, note, as_arrays(lists, rows, **arrays), card)


def _vectors(model: Recommender, data: HeteroData) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    user, item = (x.detach().float() for x in model(data))
    note: dict[str, Any] = {"similarity": "inner", "blocks": 1}
    if isinstance(model, DGVAE):
        note = {"similarity": "logaddexp", "blocks": model.items.prototype.num_embeddings}
    elif model.objective is not None:
        note["similarity"] = model.objective.ranking.similarity
    norms: dict[str, np.ndarray] = {}
    if note["similarity"] == "cosine":
        norms = {"user_norm": user.norm(dim=1).numpy(), "item_norm": item.norm(dim=1).numpy()}
        user, item = unit_rows(user), unit_rows(item)
    note["fold_in"], arrays = fold_in_arrays(model, data, user, item)
    return {"user": user.numpy(), "item": item.numpy(), **norms, **arrays}, note


def _linear(model: Recommender) -> tuple[ItemToItem | None, dict[str, float]]:
    """What the model's items say for items, and the share of that in its scores."""
    if isinstance(model, LinearRecommender):
        return model.weights, {"share": 1.0, "half_share_at": 0.0}
    residual = model.residual if isinstance(model, CRANE) else None
    if residual is None or residual.share == 0:
        return None, {"share": 0.0, "half_share_at": 0.0}
    return residual.linear, {"share": float(residual.share), "half_share_at": residual.HALF_AT}


def _seen(data: HeteroData) -> Rows:
    """What users took: of training first, then of the other splits."""
    store = data[USER_TO_ITEM]
    held_out = (store.get(f"{split}_edge_label_index") for split in ("val", "test"))
    edges = torch.cat([store.edge_index, *(x for x in held_out if x is not None)], dim=1)
    return Rows.of(edges[0].numpy(), edges[1].numpy(), sizes(data)[0])


def _check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"'{name}' of the model must be finite (got NaN or infinity)")
