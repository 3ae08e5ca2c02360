from torch import Tensor

from crane_pyg.ops import CSRGraph, spmm


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
