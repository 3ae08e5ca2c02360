from torch import Tensor

from crane_pyg.ops import CSRGraph, spmm, spmm_and_read
from crane_pyg.ops.sparse import rows_of


def light_gcn_propagation(
    user: Tensor, item: Tensor, graphs: tuple[CSRGraph, CSRGraph], num_layers: int
) -> tuple[Tensor, Tensor]:
    r"""The propagation of `"LightGCN: Simplifying and Powering Graph Convolution Network for
    Recommendation" <https://arxiv.org/abs/2002.02126>`_, on which most models here build.

    .. math::
        \frac{1}{L + 1} \sum_{l=0}^{L} \mathbf{e}^{(l)}, \qquad
        \mathbf{e}_u^{(l+1)} = \sum_{i \in \mathcal{N}(u)} w_{iu} \, \mathbf{e}_i^{(l)}, \qquad
        \mathbf{e}_i^{(l+1)} = \sum_{u \in \mathcal{N}(i)} w_{ui} \, \mathbf{e}_u^{(l)}

    PyG's :class:`~torch_geometric.nn.models.LightGCN` takes one graph of users and items together.

    Args:
        user (Tensor): ``[M, d]``.
        item (Tensor): ``[N, d]``.
        graphs: user-to-item and item-to-user.
        num_layers (int): :math:`L`.

    Returns:
        ``[M, d]`` and ``[N, d]``.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.conv import light_gcn_propagation
        >>> from crane_pyg.ops import csr_graph
        >>> to_item = csr_graph(torch.tensor([[0, 0, 1], [0, 2, 3]]), size=(2, 4))
        >>> graphs = to_item, to_item.transpose()
        >>> user, item = light_gcn_propagation(torch.randn(2, 8), torch.randn(4, 8), graphs, 2)
        >>> user.shape, item.shape
        (torch.Size([2, 8]), torch.Size([4, 8]))
    """
    to_item, to_user = graphs
    user_sum, item_sum = user, item
    for _ in range(num_layers):
        user, item = spmm(to_user, item), spmm(to_item, user)
        user_sum, item_sum = user_sum + user, item_sum + item
    return user_sum / (num_layers + 1), item_sum / (num_layers + 1)


def light_gcn_rows(
    user: Tensor,
    item: Tensor,
    graphs: tuple[CSRGraph, CSRGraph],
    num_layers: int,
    users: Tensor | None = None,
    items: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """:func:`light_gcn_propagation` at the users and items that a batch reads, for less: of the
    last layer only their rows are computed, and no gradient is filled with zeros for the others.

    Args:
        user, item, graphs, num_layers: as propagation takes them.
        users, items (Tensor, optional): ``[m]`` and ``[n]``, each distinct. (default: all)

    Returns:
        what propagation returns there, ``[m, d]`` and ``[n, d]``, and what it was given there.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn import light_gcn_propagation, light_gcn_rows
        >>> from crane_pyg.ops import csr_graph
        >>> to_item = csr_graph(torch.tensor([[0, 0, 1], [0, 2, 3]]), size=(2, 4))
        >>> parts = torch.randn(2, 8), torch.randn(4, 8), (to_item, to_item.transpose()), 2
        >>> some = light_gcn_rows(*parts, torch.tensor([1]), torch.tensor([0, 3]))
        >>> torch.allclose(some[1], light_gcn_propagation(*parts)[1][[0, 3]])
        True
        >>> torch.equal(some[3], parts[1][[0, 3]])
        True
    """
    if num_layers == 0:
        own = rows_of(user, users), rows_of(item, items)
        return *own, *own
    to_item, to_user = graphs
    given: list[tuple[Tensor, Tensor]] = []  # to each layer, at these rows
    for layer in range(num_layers):
        some = (users, items) if layer == num_layers - 1 else (None, None)
        next_user, own_item = _step(to_user, item, items, some[0])
        next_item, own_user = _step(to_item, user, users, some[1])
        given.append((own_user, own_item))
        user, item = next_user, next_item
    own_users, own_items = zip(*given, strict=True)
    scale = 1 / (num_layers + 1)
    return scale * sum(own_users, user), scale * sum(own_items, item), *given[0]


def _step(
    graph: CSRGraph, x: Tensor, read: Tensor | None, rows: Tensor | None
) -> tuple[Tensor, Tensor]:
    """A layer's sums at some rows, and some rows of what it is given."""
    return (spmm(graph, x, rows), x) if read is None else spmm_and_read(graph, x, read, rows)
