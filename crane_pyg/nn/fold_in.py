"""What a user whom training has not seen gets for a vector: a sum over what they took."""

from typing import NamedTuple

import torch
from torch import Tensor

from crane_pyg.ops import CSRGraph, spmm


class FoldInTerm(NamedTuple):
    r"""A sum over a user's items, :math:`(|\mathcal{H}| + s)^{-q} \sum_{h \in \mathcal{H}}
    \mathbf{F}_h`.

    Args:
        table: :math:`\mathbf{F}`, ``[N, d]``.
        shift: :math:`s`.
        power: :math:`q`.
    """

    table: Tensor
    shift: float
    power: float


class FoldIn(NamedTuple):
    """What a model makes of the history of a user without an embedding of their own.

    The user hears the items and they do not hear the user: items are as training left them, their
    degrees too, and an item that nobody took says nothing of who takes it, but by what it is.

    Args:
        terms: at least one, whose sum is the user's vector.
        constant: ``[d]``, to be added. (default: zeros)
    """

    terms: list[FoldInTerm]
    constant: Tensor | None = None

    def vectors(self, taken: CSRGraph) -> Tensor:
        """The vectors of users by what they took.

        Args:
            taken: item-to-user edges, without weights.

        Shapes:
            - **output:** ``[M, d]``
        """
        count = taken.in_degree.unsqueeze(1)
        sums = [
            spmm(taken, term.table) * (count + term.shift).clamp(min=1e-12) ** -term.power
            for term in self.terms
        ]
        total = torch.stack(sums).sum(0)
        return total if self.constant is None else total + self.constant

    def through(self, linear: torch.nn.Linear) -> "FoldIn":
        """The same behind a linear map of the user's vector.

        Args:
            linear: the map.
        """
        terms = [term._replace(table=term.table @ linear.weight.T) for term in self.terms]
        return FoldIn(terms, linear.bias)


def light_gcn_fold_in(
    user: Tensor, item: Tensor, graphs: tuple[CSRGraph, CSRGraph], num_layers: int
) -> FoldIn:
    r"""The fold-in of :func:`~crane_pyg.nn.conv.light_gcn_propagation`.

    .. math::
        \mathbf{z}_u = \frac{1}{\sqrt{|\mathcal{H}|}} \sum_{h \in \mathcal{H}} \mathbf{F}_h, \qquad
        \mathbf{F}_i = \frac{1}{(L + 1) \sqrt{d_i}} \sum_{l < L} \mathbf{e}_i^{(l)}

    Args:
        user, item, graphs, num_layers: as propagation takes them.
    """
    to_item, to_user = graphs
    layers = []
    for _ in range(num_layers):
        layers.append(item)
        user, item = spmm(to_user, item), spmm(to_item, user)
    total = torch.stack(layers).sum(0) if layers else torch.zeros_like(item)
    return FoldIn([FoldInTerm(over_root_degree(total, to_item) / (num_layers + 1), 0, 0.5)])


def over_root_degree(x: Tensor, to_item: CSRGraph) -> Tensor:
    """Each item's row over the root of its degree, zeros where nobody took it.

    Args:
        x (Tensor): ``[N, d]``.
        to_item: user-to-item edges.
    """
    degree = to_item.in_degree.to(x.dtype).unsqueeze(1)
    return (x * degree.clamp(min=1).rsqrt()).masked_fill(degree == 0, 0)
