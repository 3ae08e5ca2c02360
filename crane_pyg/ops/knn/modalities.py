"""Nearest neighbours of items that lack some of their modalities."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crane_pyg.ops.knn.api import Impl, knn_graph
from crane_pyg.ops.knn.similarity import edge_cosine


def modality_knn_graph(
    xs: Sequence[Tensor],
    masks: Sequence[Tensor],
    k: int,
    *,
    loop: bool = False,
    impl: Impl = "auto",
) -> tuple[Tensor, Tensor]:
    r"""The :math:`k` nearest of each item by the cosine over the modalities that it has itself.

    .. math::
        S_{ij} = \frac{\sum_{m \in \mathcal{M}_i} \mathbf{x}_i^{m \top} \mathbf{x}_j^m}
        {\sqrt{\sum_m \| \mathbf{x}_i^m \|^2}
        \sqrt{\sum_{m \in \mathcal{M}_i} \| \mathbf{x}_j^m \|^2}}, \qquad S_{ii} = 1

    A modality that an item lacks counts as a row that resembles no other, of the root mean square
    length of the rows that there are: the less is known of :math:`i`, the less its neighbours weigh
    beside the item itself. The cosine of concatenated rows, zeros where something is missing, would
    choose neighbours by what they lack: it damps :math:`j` for the modalities that :math:`i` lacks,
    and raises it for those that :math:`j` lacks. Where all have everything, the two are the same.

    Args:
        xs (sequence of Tensor): The features of each modality, zeros where an item lacks it.
        masks (sequence of Tensor): Which items have it; one without any modality neither has nor is
            a neighbour.
        k, loop, impl: As :func:`knn_graph` takes them.

    Shapes:
        - **xs:** :math:`(N, F_m)` each, **masks:** :math:`(N)` each
        - **output:** edges :math:`(2, N k)` as :func:`knn_graph` has them, and their
          :math:`S_{ij}`, differentiable in :obj:`xs`

    Raises:
        ValueError: as :func:`knn_graph`, and if no item has any modality.
    """
    present = torch.stack(list(masks), dim=1)  # [N, modalities]
    known = present.any(dim=1)
    if not known.any():
        raise ValueError("some item must have a modality (got none that has)")
    bits = 2 ** torch.arange(len(masks), device=known.device)
    numbers, pattern = torch.unique((present * bits).sum(dim=1), return_inverse=True)
    patterns = (numbers.unsqueeze(1) & bits) != 0
    squares = [_mean_square(x, mask) for x, mask in zip(xs, masks, strict=True)]
    padded = [_padded(*part) for part in zip(xs, masks, squares, strict=True)]
    parts = []
    for number, has in enumerate(patterns.tolist()):
        if any(has):
            x = torch.cat([part for part, own in zip(padded, has, strict=True) if own], dim=1)
            query = pattern == number
            edges = knn_graph(x.detach(), k, loop=loop, mask=known, query=query, impl=impl)
            cosine = edge_cosine(x, edges)
            if not all(has):
                lacking = [square for square, own in zip(squares, has, strict=True) if not own]
                cosine = _share(x, torch.stack(lacking).sum(), edges) * cosine
            parts.append((edges, cosine))
    edge_index = torch.cat([edges for edges, _ in parts], dim=1)
    cosine = torch.cat([part for _, part in parts])
    order = edge_index[1].argsort(stable=True)
    return edge_index[:, order], cosine[order]


def _mean_square(x: Tensor, mask: Tensor) -> Tensor:
    """The mean squared length of the rows that are there."""
    return x.detach().square().sum() / mask.sum().clamp(min=1)


def _padded(x: Tensor, mask: Tensor, square: Tensor) -> Tensor:
    """Adds a column in which missing rows have the root mean square length of the others."""
    if bool(mask.all()):
        return x
    return torch.cat([x, (square.sqrt() * ~mask).unsqueeze(1)], dim=1)


def _share(x: Tensor, lacks: Tensor, edges: Tensor) -> Tensor:
    """For each edge the share of the item's length that is in ``x``; one where it meets itself."""
    own = x.detach().square().sum(dim=1)
    share = (own / (own + lacks).clamp(min=1e-24)).sqrt()
    return torch.where(edges[0] == edges[1], 1.0, share[edges[1]])
