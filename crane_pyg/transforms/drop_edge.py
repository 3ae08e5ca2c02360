"""DropEdge by degree (paper, eq. 2)."""

from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.transforms import BaseTransform

from crane_pyg.choices import check_choice
from crane_pyg.transforms.normalize import bipartite_norm

DropMode = Literal["bernoulli", "multinomial"]


def degree_drop_edge(
    edge_index: Tensor,
    size: tuple[int, int],
    *,
    mode: DropMode = "bernoulli",
    ratio: float = 0.8,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Draw the edges that stay, with :math:`P_{ui} = 1 / \sqrt{d_u d_i}`.

    Args:
        edge_index (Tensor): ``[2, E]``, sources first.
        size: number of sources and of destinations.
        mode: ``'bernoulli'`` keeps each edge with probability :math:`P_{ui}` (eq. 2);
            ``'multinomial'`` draws a fixed number without replacement, in proportion to
            :math:`P_{ui}` (as FREEDOM does).
        ratio: share of the edges that ``'multinomial'`` drops, in [0, 1).
        generator: source of randomness.

    Returns:
        ``[E]`` bool, true where an edge stays.

    Raises:
        ValueError: if the mode is unknown or the ratio lies outside [0, 1).
    """
    check_choice("mode", mode, DropMode)
    prob = bipartite_norm(edge_index, size)
    if mode == "bernoulli":
        return torch.rand(prob.shape, generator=generator, device=prob.device) < prob
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio must lie in [0, 1) (got {ratio})")
    # The smallest E(1) / p are a draw without replacement in proportion to p, however many edges.
    noise = torch.empty_like(prob).exponential_(generator=generator) / prob
    keep = torch.zeros_like(prob, dtype=torch.bool)
    keep[noise.topk(round(prob.numel() * (1 - ratio)), largest=False).indices] = True
    return keep


class DegreeDropEdge(BaseTransform):
    """:func:`degree_drop_edge` on a pair of edge types, both directions dropped together.

    ``edge_weight`` and ``edge_attr`` follow their edges.

    Args:
        edge_type: the relation to thin; its reverse is rebuilt from what stays.
        rev_edge_type: the same edges in the other direction.
        mode, ratio: see :func:`degree_drop_edge`.

    Raises:
        ValueError: if the mode is unknown.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.transforms import DegreeDropEdge
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> thinned = DegreeDropEdge(mode="multinomial", ratio=0.8)(data)
        >>> thinned["user", "item"].edge_index.shape, thinned["item", "user"].edge_index.shape
        (torch.Size([2, 720]), torch.Size([2, 720]))
    """

    def __init__(
        self,
        edge_type: tuple[str, str, str] = ("user", "interacts", "item"),
        rev_edge_type: tuple[str, str, str] | None = ("item", "rev_interacts", "user"),
        *,
        mode: DropMode = "bernoulli",
        ratio: float = 0.8,
    ) -> None:
        check_choice("mode", mode, DropMode)
        self.edge_type = edge_type
        self.rev_edge_type = rev_edge_type
        self.mode = mode
        self.ratio = ratio

    def forward(self, data: HeteroData) -> HeteroData:
        src, _, dst = self.edge_type
        size = (data[src].num_nodes, data[dst].num_nodes)
        edge_index = data[self.edge_type].edge_index
        keep = degree_drop_edge(edge_index, size, mode=self.mode, ratio=self.ratio)
        kept = edge_index[:, keep]
        order = kept[1].argsort(stable=True)
        data[self.edge_type].edge_index = kept
        if self.rev_edge_type is not None:
            data[self.rev_edge_type].edge_index = kept.flip(0)[:, order]
        for key in {"edge_weight", "edge_attr"} & set(data[self.edge_type].keys()):
            value = data[self.edge_type][key][keep]
            data[self.edge_type][key] = value
            if self.rev_edge_type is not None:
                data[self.rev_edge_type][key] = value[order]
        return data

    def __repr__(self) -> str:
        ratio = f", ratio={self.ratio}" if self.mode == "multinomial" else ""
        return f"{self.__class__.__name__}(mode={self.mode!r}{ratio})"
