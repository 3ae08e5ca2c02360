"""Finding the best items without looking at all of them, by an inverted file of faiss."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scores import Scores, Taste
from crane_pyg.serving.scoring import best
from crane_pyg.serving.search import Asker, ExactSearch, Found
from crane_pyg.serving.tables import Tables, Vectors

Index = Literal["exact", "faiss"]

_SPARE = 16  # searched beyond what is needed: the index rounds otherwise than the product


def check_indexable(tables: Tables) -> Vectors:
    """The vectors that an index is of.

    Raises:
        ValueError: if the model's scores are not those of vectors and few items that others name.
    """
    vectors = tables.vectors
    if vectors is None or vectors.similarity == "logaddexp":
        raise ValueError("an index needs vectors compared by inner products (got a model without)")
    if tables.share > 0 and not isinstance(tables.linear, Rows):
        raise ValueError(
            "an index needs a residual that names few items, as --set residual=ease-local trains "
            "it (got a dense one)"
        )
    return vectors


def on_sphere(item: Array) -> Array:
    """Vectors ``[N, d]`` with one number more, which makes all equally long, ``[N, d + 1]``: their
    inner products with vectors whose last number is zero stay, and the greatest is the nearest."""
    square = np.square(item, dtype=np.float64).sum(axis=1)
    rest = np.sqrt(square.max(initial=0) - square)
    return np.concatenate([item, rest[:, None]], axis=1, dtype=np.float32, casting="same_kind")


class ItemIndex:
    """Items in cells around centroids, of which a search looks into the nearest ones.

    Args:
        item: vectors, ``[N, d]``.
        centroids: ``[C, d + 1]``, of :func:`on_sphere`.
        cell: of each item, ``[N]``.
        probes: cells that a search looks into.

    Raises:
        ValueError: if faiss is not installed.
    """

    def __init__(self, item: Array, centroids: Array, cell: Array, probes: int) -> None:
        try:
            import faiss
            from faiss.contrib.ivf_tools import add_preassigned
        except ImportError as error:
            raise ValueError("index='faiss' needs faiss: pip install faiss-cpu") from error
        rows = on_sphere(item)
        self.size, self.length = len(item), float(np.linalg.norm(rows[0]))
        quantiser = faiss.IndexFlatL2(rows.shape[1])
        quantiser.add(np.ascontiguousarray(centroids))
        self._index = faiss.IndexIVFFlat(quantiser, rows.shape[1], len(centroids))
        add: Any = add_preassigned  # which tells no types
        add(self._index, rows, cell.astype(np.int64))
        self._index.nprobe = probes
        self._quantiser = quantiser  # which the index does not keep alive

    def search(self, vectors: Array, k: int) -> Array:
        """Numbers ``[B, k]`` of the items with the greatest inner products; -1 where none is found.

        Args:
            vectors: ``[B, d]``.
            k: how many.
        """
        # As long as the items, for the nearest cells to be those of the greatest products.
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        scaled = vectors * (self.length / np.where(length == 0, 1, length))
        return np.asarray(self._index.search(np.pad(scaled, ((0, 0), (0, 1))), k)[1])


class IndexSearch(ExactSearch):
    """Ranks the best of an index, and what the residual names, by exact scores.

    Items added later are no part of the index, and always ranked. What an index cannot serve
    (a choice of items, weights of content, similar items, lists as long as a quarter of the
    catalogue) is searched exactly.

    Args:
        scores: of the model.
        index: of its items.
    """

    def __init__(self, scores: Scores, index: ItemIndex) -> None:
        super().__init__(scores)
        check_indexable(scores.tables)
        self.index = index

    def rank(
        self,
        askers: Sequence[Asker],
        k: int,
        allowed: Array | None = None,
        content_weight: float | None = None,
    ) -> list[Found]:
        """The best items of each, see :meth:`ExactSearch.rank`."""
        said = [self._said(asker.taste) for asker in askers]
        needed = [len(asker.hidden) + len(items) for asker, (items, _) in zip(askers, said)]
        most = k + max(needed, default=0) + _SPARE
        if not askers or allowed is not None or content_weight or 4 * most > self.index.size:
            return super().rank(askers, k, allowed, content_weight)
        vectors = [asker.taste.vector for asker in askers if asker.taste.vector is not None]
        nearest = self.index.search(np.stack(vectors), most)
        return [
            self._best(asker, k, row[row >= 0], *of_residual)
            for asker, row, of_residual in zip(askers, nearest, said, strict=True)
        ]

    def _best(self, asker: Asker, k: int, nearest: Array, named: Array, amount: Array) -> Found:
        vectors = check_indexable(self.scores.tables)
        taste, later = asker.taste, np.arange(self.index.size, self.scores.num_items)
        items = np.unique(np.concatenate([nearest, named, later]))
        assert taste.vector is not None
        score = np.asarray(vectors.item[items] @ taste.vector)
        if self.scores.tables.share > 0:
            said = np.zeros(len(items))
            said[np.searchsorted(items, named)] = amount
            share = self.scores.tables.share_of(taste.history)
            score = self._mixed(taste.vector, score, said, amount, share)
        score[np.isin(items, asker.hidden)] = -np.inf
        found = best(score, k)
        return Found(items[found], score[found])

    def _said(self, taste: Taste) -> tuple[Array, Array]:
        """The items that the residual names, ascending, and what it says for each."""
        linear = self.scores.tables.linear
        if self.scores.tables.share <= 0 or not isinstance(linear, Rows):
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        history = [int(item) for item in taste.history if item < len(linear)]
        parts = [np.zeros(0, dtype=np.int64), *map(linear.indices, history)]
        values = [np.zeros(0), *map(linear.values, history)]
        items, place = np.unique(np.concatenate(parts), return_inverse=True)
        return items, np.bincount(place, np.concatenate(values), len(items))

    def _mixed(self, vector: Array, own: Array, said: Array, amount: Array, share: float) -> Array:
        """Both standardised as over the whole catalogue, whose mean and deviation need no scores of
        it: those of the vectors follow from the items' moments, and the residual is mostly zero."""
        mean, second = self._moments
        number = self.scores.num_items
        vector = vector.astype(float)
        first, other = float(vector @ mean), amount.sum() / number
        spread = np.sqrt(max(0.0, float(vector @ second @ vector) - first**2))
        spread_said = np.sqrt(max(0.0, np.square(amount).sum() / number - other**2))
        own = (own - first) / (spread or 1)
        said = (said - other) / (spread_said or 1)
        return np.asarray((1 - share) * own + share * said, dtype=np.float32)

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        item = check_indexable(self.scores.tables).item
        mean, second = np.zeros(item.shape[1]), np.zeros((item.shape[1],) * 2)
        for start in range(0, len(item), 2**16):
            block = item[start : start + 2**16].astype(np.float64)
            mean += block.sum(axis=0)
            second += block.T @ block
        return mean / len(item), second / len(item)


def read_index(artefact: Artefact, tables: Tables) -> ItemIndex:
    """The index of an artefact.

    Args:
        artefact: what was opened.
        tables: of it.

    Raises:
        ValueError: if it has none, or faiss is not installed.
    """
    note: Mapping[str, Any] | None = artefact.about.get("index")
    if note is None:
        raise ValueError(
            f"'{artefact.folder}' must hold an index for index='faiss', which export --index faiss "
            "makes (got none)"
        )
    item = check_indexable(tables).item
    centroids = artefact.array("index_centroids", None, item.shape[1] + 1)
    cell = artefact.array("index_cell", len(item))
    if not 0 <= cell.min() <= cell.max() < len(centroids):
        raise ValueError(
            f"'{artefact.folder}', array 'index_cell': must lie between 0 and {len(centroids) - 1} "
            f"(got {cell.min()} to {cell.max()})"
        )
    return ItemIndex(item, centroids, cell, int(note["probes"]))
