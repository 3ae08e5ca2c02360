"""Nearest neighbours of items by who took them."""

from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.ops.cooccurrence import interaction_matrix, strongest

Weighting = Literal["cosine", "bm25"]


def item_knn(
    edge_index: Tensor,
    size: tuple[int, int],
    k: int,
    *,
    weighting: Weighting = "cosine",
    shrinkage: float = 0.0,
    k1: float = 1.2,
    b: float = 0.75,
) -> tuple[Tensor, Tensor]:
    r"""The :math:`k` items that are most similar to each item by who took them.

    ``'cosine'`` is the number of users in common, :math:`c_{ij} / (\sqrt{c_{ii} c_{jj}} + h)`, from
    `"Item-Based Top-N Recommendation Algorithms" <https://doi.org/10.1145/963770.963776>`_.
    ``'bm25'`` is the inner product of the users' weights as the package ``implicit`` has them, of
    items as documents and users as words,

    .. math::
        w_{ui} = \frac{k_1 + 1}{k_1 (1 - b + b \, c_{ii} / \bar{c}) + 1}
        \log \frac{N}{1 + d_u},

    where shrinkage divides by :math:`1 + h / \sqrt{c_{ii} c_{jj}}`.

    Args:
        edge_index (Tensor): ``[2, E]`` distinct or repeated pairs, users first.
        size: number of users and of items.
        k: neighbours of each item at most.
        weighting: ``'cosine'`` or ``'bm25'``.
        shrinkage: :math:`h`, which makes little of what few users say.
        k1, b: of BM25: how fast a word's weight saturates, and how much the length counts.

    Returns:
        edges from the neighbour (row 0) to the item (row 1), and their similarities, on the device
        of ``edge_index``.

    Shapes:
        - **output:** ``[2, E']`` sorted by item, then by neighbour, and ``[E']``

    Raises:
        ValueError: if there is to be no neighbour, ``shrinkage`` is negative, the weighting is
            unknown, or an index lies outside ``size``.
    """
    check_choice("weighting", weighting, Weighting)
    if k < 1:
        raise ValueError(f"k must be at least 1 (got {k})")
    if shrinkage < 0:
        raise ValueError(f"shrinkage must not be negative (got {shrinkage})")
    taken = interaction_matrix(edge_index, size)
    popularity = taken.sum(0)
    if weighting == "bm25":
        taken = _bm25(taken, k1, b)
    length = np.sqrt(popularity)
    item, other, weight = strongest(
        taken,
        taken,
        k,
        lambda i, j, value: (
            value / (length[i] * length[j] + shrinkage)
            if weighting == "cosine"
            else value / (1 + shrinkage / (length[i] * length[j]))
        ),
    )
    device = edge_index.device
    edges = torch.from_numpy(np.stack([other, item])).to(device)
    return edges, torch.from_numpy(weight).float().to(device)


def _bm25(taken: csr_array, k1: float, b: float) -> csr_array:
    popularity, degree = taken.sum(0), taken.sum(1)
    length = 1 - b + b * popularity / max(popularity.mean(), 1e-12)
    by_item = (k1 + 1) / (k1 * length + 1)
    by_user = np.log(taken.shape[1]) - np.log1p(degree)
    return (taken * by_item).multiply(by_user[:, None]).tocsr()
