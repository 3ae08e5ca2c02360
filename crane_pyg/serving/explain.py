from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crane_pyg.serving.item_graph import ItemGraph
from crane_pyg.serving.rows import Array, Rows
from crane_pyg.serving.scores import Scores, Taste
from crane_pyg.serving.scoring import deviations

BEHAVIOUR, TOGETHER = "behaviour", "together"


@dataclass(frozen=True)
class Contribution:
    """What one item that was taken adds to the score of another, over one kind of edge.

    Args:
        item: id of the item taken.
        edge: ``'behaviour'``, over users who took both or similar things; a modality, over items
            that resemble each other in it; ``'together'``, what having taken the one says for the
            other in closed form.
        amount: how much of the score, perhaps negative.

    Examples:
        >>> from crane_pyg.serving import Contribution
        >>> parts = [Contribution("lamp", "text", 0.5), Contribution("mug", "behaviour", -0.1)]
        >>> max(parts, key=lambda part: part.amount).item
        'lamp'
    """

    item: str
    edge: str
    amount: float


@dataclass(frozen=True)
class Explanation:
    """Where a score comes from: its parts add up to it.

    Args:
        item: id of the item that is scored.
        score: as it is ranked by.
        contributions: of what was taken, the greatest first.
        own: what training learned of the user, beside what they took; of somebody new, what the
            rest of the catalogue takes off.
        baseline: the same for all items of this user.
    """

    item: str
    score: float
    contributions: tuple[Contribution, ...]
    own: float
    baseline: float

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return sum(part.amount for part in self.contributions) + self.own + self.baseline


def explain(scores: Scores, taste: Taste, item: int) -> Explanation:
    """Divide a score among what was taken.

    Args:
        scores: of the model.
        taste: of whom.
        item: number of the item.

    Raises:
        ValueError: if the model's scores are no sums.
    """
    tables, vectors = scores.tables, scores.tables.vectors
    if vectors is not None and vectors.similarity == "logaddexp":
        raise ValueError("the score must be a sum over the user's items (got a model without one)")
    history = [int(number) for number in taste.history]
    (score,) = scores([taste])
    scale, baseline, factor = _scales(scores, taste)
    edges, amounts = [BEHAVIOUR], np.zeros((1, len(history)))
    own = 0.0
    if vectors is not None:
        assert taste.vector is not None
        parts = np.asarray(vectors.fold_in.parts(history), dtype=np.float64)
        parts = parts * (taste.start / taste.length)
        parts = parts + vectors.item[history] * (taste.taken / len(history))
        vector = vectors.raw_item(item)
        names, amounts = _divided(tables.graph, history, item, parts, vector, taste)
        amounts = amounts * (scale / vectors.norm_of(item))
        edges = [BEHAVIOUR, *names]
        # What is left of the whole is the user's own.
        whole = float(taste.vector.astype(np.float64) @ vectors.item[item].astype(np.float64))
        own = scale * whole - float(amounts.sum())
    if tables.linear is not None and factor:
        edges = [*edges, TOGETHER]
        said = factor * _said(tables.linear, history, item)
        amounts = np.concatenate([amounts, said[None]])
    found = [
        Contribution(tables.item_ids[number], edge, float(amount))
        for edge, row in zip(edges, amounts, strict=True)
        for number, amount in zip(history, row, strict=True)
        if amount != 0
    ]
    found.sort(key=lambda part: -part.amount)
    return Explanation(tables.item_ids[item], float(score[item]), tuple(found), own, baseline)


def _scales(scores: Scores, taste: Taste) -> tuple[float, float, float]:
    """What products of vectors are multiplied by, what is added, and what the linear scores are
    multiplied by."""
    own, share = scores.own([taste]), scores.tables.share_of(taste.history)
    if own is None:
        return 0.0, 0.0, 1.0
    linear = scores.linear([taste]) if share > 0 else None
    if linear is None:
        return 1.0, 0.0, 0.0
    (first, mean), (second, other) = _spread(own), _spread(linear)
    scale = (1 - share) / first if first else 0.0
    factor = share / second if second else 0.0
    return scale, -scale * mean - factor * other, factor


def _spread(score: Array) -> tuple[float, float]:
    """The deviation and the mean of a row."""
    score = score.astype(np.float64)
    mean = float(score.mean())
    return float(deviations(score - mean)[0, 0]), mean


def _divided(
    graph: ItemGraph | None,
    history: Sequence[int],
    item: int,
    parts: Array,
    vector: Array,
    taste: Taste,
) -> tuple[tuple[str, ...], Array]:
    """The products of what each item taken adds to the user, ``[n, d]``, with the item's vector,
    divided among the edges: ``[1 + K, n]``."""
    if graph is None:
        return (), (parts @ vector)[None]
    item_parts = graph.parts(item)  # [K, d]
    user_parts = np.zeros((len(graph.modalities), *parts.shape))
    if graph.fold_in_power is not None:
        scale = len(history) ** -graph.fold_in_power * taste.start / taste.length
        user_parts = scale * np.stack([graph.parts(taken) for taken in history], axis=1)
    plain_user, plain_item = parts - user_parts.sum(axis=0), vector - item_parts.sum(axis=0)
    # What is of a modality on one side counts as its; of two modalities, half for each.
    rows = [plain_user @ plain_item]
    for number, by_item in enumerate(item_parts):
        by_user = user_parts[number]
        others_item = item_parts.sum(axis=0) - by_item
        others_user = user_parts.sum(axis=0) - by_user
        row = plain_user @ by_item + by_user @ (plain_item + by_item)
        rows.append(row + (by_user @ others_item + others_user @ by_item) / 2)
    return graph.modalities, np.stack(rows)


def _said(linear: Rows | Array, history: Sequence[int], item: int) -> Array:
    """What each item taken says for one, ``[n]``."""
    out = np.zeros(len(history))
    for place, taken in enumerate(history):
        if taken >= len(linear) or item >= len(linear):
            continue
        if isinstance(linear, Rows):
            out[place] = linear.values(taken)[linear.indices(taken) == item].sum()
        else:
            out[place] = linear[taken, item]
    return out
