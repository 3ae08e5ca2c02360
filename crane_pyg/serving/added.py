"""Items that nobody has taken yet, ranked beside the others from what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crane_pyg.limits import shown
from crane_pyg.serving.neighbours import Features
from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scoring import unit_rows
from crane_pyg.serving.tables import Tables, Vectors


def with_items(
    tables: Tables,
    features: Mapping[str, Any],
    ids: Sequence[str],
    titles: Sequence[str] | None,
    pictures: Sequence[str] | None,
) -> Tables:
    """The tables with items added; see :meth:`crane_pyg.serving.Recommender.add_items`."""
    vectors = tables.vectors
    if vectors is None:
        raise ValueError("items can be added to a model with vectors (got one without)")
    _check_ids(tables, ids)
    found = _by_item(tables, features, len(ids))
    rows, told, passed, parts = [], [], [], []
    for one in found:
        neighbours = tables.finder.find(one)
        if tables.graph is None:
            rows.append(neighbours.weight.sum(axis=1) @ vectors.raw_items(neighbours.item))
            told.append(np.zeros_like(rows[-1]))  # its neighbours say for it what they say
            continue
        weight = neighbours.weight.sum(axis=1).astype(np.float32)
        layers, row = tables.graph.gathered(one, neighbours.item, weight, neighbours.own)
        rows.append(layers[0] + row)
        told.append(np.zeros_like(row) if tables.graph.fold_in_power is None else row)
        passed.append(layers)
        own = np.zeros((1, neighbours.weight.shape[1] + 1), np.float32)
        own[0, -1] = neighbours.own
        weights = np.pad(neighbours.weight, ((0, 0), (0, 1))).astype(np.float32)
        number = len(tables.item_ids) + len(rows) - 1
        parts.append((np.append(neighbours.item, number), np.concatenate([weights, own])))
    graph = tables.graph
    if graph is not None:
        edges = _appended(graph.edges, parts)
        source = np.concatenate([graph.source, np.stack(passed, axis=1)], axis=1)
        graph = replace(graph, edges=edges, source=source)
    return replace(
        tables,
        item_ids=[*_all(tables.item_ids), *ids],
        titles=_joined(tables.titles, titles, len(tables.item_ids), len(ids)),
        pictures=_joined(tables.pictures, pictures, len(tables.item_ids), len(ids)),
        taken=np.concatenate([tables.taken, np.zeros(len(ids), tables.taken.dtype)]),
        vectors=_extended(vectors, *(np.stack(x).astype(np.float32) for x in (rows, told))),
        looks={m: look.extended(_look(look, m, found)) for m, look in tables.looks.items()},
        graph=graph,
        finder=tables.finder.extended(found),
    )


def _extended(vectors: Vectors, rows: Array, told: Array) -> Vectors:
    """With items, and what they say of new users who take them."""
    unit = unit_rows(rows) if vectors.item_norm is not None else rows
    norm = vectors.item_norm
    if norm is not None:
        norm = np.concatenate([norm, np.linalg.norm(rows, axis=1).astype(np.float32)])
    item = np.concatenate([vectors.item, unit])
    return replace(vectors, item=item, item_norm=norm, fold_in=vectors.fold_in.extended(told))


def _look(look: Any, modality: str, found: Sequence[Features]) -> Array:
    width = look.basis.shape[0]
    x = [np.asarray(one[modality]) if modality in one else np.zeros(width) for one in found]
    return np.asarray(look.encode(np.stack(x)), dtype=np.float32)


def _by_item(tables: Tables, features: Mapping[str, Any], count: int) -> list[Features]:
    """The features that each item has; a row of zeros is a modality that it lacks."""
    found: list[dict[str, Array]] = [{} for _ in range(count)]
    for m, matrix in features.items():
        if m not in tables.looks:
            raise ValueError(f"features must be of {[*tables.looks]} (got {shown(m)})")
        x = np.atleast_2d(np.asarray(matrix, dtype=np.float32))
        width = tables.looks[m].basis.shape[0]
        if x.shape != (count, width) or not np.isfinite(x).all():
            raise ValueError(
                f"features of '{m}' must be [{count}, {width}] finite numbers (got "
                f"{list(x.shape)}{'' if np.isfinite(x).all() else ', not all finite'})"
            )
        for one, row in zip(found, x, strict=True):
            if row.any():
                one[m] = row
    return list(found)


def _check_ids(tables: Tables, ids: Sequence[str]) -> None:
    twice = set(ids) & set(_all(tables.item_ids)) or {i for i in ids if list(ids).count(i) > 1}
    if not ids or twice:
        raise ValueError(
            f"ids of added items must be new and distinct (got {shown(sorted(twice))})"
        )


def _joined(
    old: Sequence[str] | None, new: Sequence[str] | None, count: int, added: int
) -> Sequence[str] | None:
    if old is None and new is None:
        return None
    first = [""] * count if old is None else _all(old)
    if new is not None and len(new) != added:
        raise ValueError(f"there must be a text for each of {added} items (got {len(new)})")
    return [*first, *([""] * added if new is None else new)]


def _appended(edges: Rows, parts: Sequence[tuple[Array, Array]]) -> Rows:
    assert edges.value is not None
    ends = edges.start[-1] + np.cumsum([len(item) for item, _ in parts])
    return Rows(
        np.concatenate([edges.start, ends]),
        np.concatenate([edges.index, *(item for item, _ in parts)]),
        np.concatenate([edges.value, *(weight for _, weight in parts)]),
    )


def _all(texts: Sequence[str]) -> Sequence[str]:
    all_of = getattr(texts, "all", None)
    return texts if all_of is None else all_of()
