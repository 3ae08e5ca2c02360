from collections.abc import Sequence

import torch
from torch import Tensor

from crane_pyg.ops import CSRGraph, spmm


def item_view_propagation(
    items: Sequence[Tensor], graphs: Sequence[CSRGraph], to_user: CSRGraph, num_layers: int
) -> tuple[Tensor, Tensor]:
    r"""Views of items, each from an item-item graph of its own, and of users by what they took, as
    MGCN and SMORE have one for each modality.

    .. math::
        \mathbf{h}^v_I = \mathbf{S}_v^{L} \, \mathbf{e}^v_I, \qquad
        \mathbf{h}^v_u = \sum_{i \in \mathcal{N}(u)} w_{iu} \, \mathbf{h}^v_i

    The users of all views come from one sparse product.

    Args:
        items: what each view starts from.
        graphs: an item-item graph for each view.
        to_user: item-to-user.
        num_layers (int): :math:`L`.

    Shapes:
        - **items:** ``[N, d]`` each
        - **output:** ``[M, V, d]`` of users and ``[N, V, d]`` of items

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.conv import item_view_propagation
        >>> from crane_pyg.ops import csr_graph, knn_graph
        >>> views = [torch.randn(4, 8) for _ in range(3)]
        >>> graphs = [csr_graph(knn_graph(x, k=2), size=(4, 4)) for x in views]
        >>> to_user = csr_graph(torch.tensor([[0, 2, 3], [0, 0, 1]]), size=(4, 2))
        >>> user, item = item_view_propagation(views, graphs, to_user, num_layers=1)
        >>> user.shape, item.shape
        (torch.Size([2, 3, 8]), torch.Size([4, 3, 8]))
    """
    found = []
    for h, graph in zip(items, graphs, strict=True):
        for _ in range(num_layers):
            h = spmm(graph, h)
        found.append(h)
    item = torch.cat(found, dim=1)
    user = spmm(to_user, item)
    shape = (len(found), found[0].size(1))
    return user.view(user.size(0), *shape), item.view(item.size(0), *shape)
