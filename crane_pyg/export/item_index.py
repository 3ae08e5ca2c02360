"""An index of an artefact's items, measured against exact search before it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact, extend_artefact
from crane_pyg.serving.item_index import IndexSearch, ItemIndex, check_indexable, on_sphere
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scores import Scores
from crane_pyg.serving.search import Asker, ExactSearch, Found
from crane_pyg.serving.tables import Tables, read_tables

_K = 20
_USERS = 500


@dataclass(frozen=True)
class IndexReport:
    """What an index is, and how much of exact search it finds.

    Args:
        cells: that the items are in.
        probes: of these, how many a search looks into.
        recall: share of the exact lists of 20 that it finds.
        users: on how many this was measured.
    """

    cells: int
    probes: int
    recall: float
    users: int


def add_index(folder: Path | str, *, least_recall: float = 0.95, seed: int = 0) -> IndexReport:
    """Add an index to an artefact: with as few cells looked into as find enough.

    Args:
        folder: the artefact.
        least_recall: the share of exact lists that it must find. (default: ``0.95``)
        seed: of the users that are asked, and of the cells. (default: ``0``)

    Raises:
        ValueError: if the model has nothing to index, faiss is not installed, or even a quarter of
            the cells finds too little; the artefact stays as it was.
    """
    if not 0 < least_recall <= 1:
        raise ValueError(f"the least recall must lie between 0 and 1 (got {least_recall})")
    tables = read_tables(artefact := Artefact(folder, verify=False))
    item = check_indexable(tables).item
    centroids, cell = _cells(item, seed)
    asked = _sample(tables, seed)
    scores = Scores(tables)
    askers = [Asker(scores.taste_of(user), tables.seen.indices(user)) for user in asked]
    exact = ExactSearch(scores).rank(askers, _K)
    probes, most = 1, max(1, len(centroids) // 4)
    while True:
        index = ItemIndex(item, centroids, cell, probes)
        recall = recall_of(IndexSearch(scores, index).rank(askers, _K), exact)
        if recall >= least_recall or probes >= most:
            break
        probes = min(2 * probes, most)
    report = IndexReport(len(centroids), probes, recall, len(asked))
    if recall < least_recall:
        raise ValueError(
            f"an index must find {least_recall:.0%} of what exact search does to be worth it; the "
            f"artefact is whole without one, and --least-recall accepts less (got {recall:.1%} "
            f"from {probes} of {len(centroids)} cells)"
        )
    arrays = {"index_centroids": centroids, "index_cell": cell.astype(np.int32)}
    extend_artefact(folder, artefact, {"index": vars(report)}, arrays)
    return report


def recall_of(found: Sequence[Found], exact: Sequence[Found]) -> float:
    """The share of exact lists that was found."""
    hits = sum(len(np.intersect1d(a.items, b.items)) for a, b in zip(found, exact, strict=True))
    return float(hits / max(1, sum(len(each.items) for each in exact)))


def _cells(item: Array, seed: int) -> tuple[Array, Array]:
    try:
        import faiss
    except ImportError as error:
        raise ValueError("index='faiss' needs faiss: pip install faiss-cpu") from error
    rows = on_sphere(item)
    # faiss warns of fewer than 39 rows for each cell.
    number = max(1, min(round(4 * len(rows) ** 0.5), len(rows) // 40))
    means: Any = faiss.Kmeans(rows.shape[1], number, niter=10, seed=seed + 1)
    means.train(rows)
    return means.centroids, means.index.search(rows, 1)[1][:, 0]


def _sample(tables: Tables, seed: int) -> list[int]:
    active = np.flatnonzero(tables.trained)
    draw = np.random.default_rng(seed)
    return sorted(draw.choice(active, min(_USERS, len(active)), replace=False).tolist())
