import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.user_item import user_item_graphs


@torch.no_grad()
def spectral_start(user: Tensor, item: Tensor, data: HeteroData, noise: float = 0.1) -> None:
    r"""Start embeddings from what the interactions look like at a low rank, in place.

    With the singular vectors and values of :math:`\mathbf{D}^{-1/2} \mathbf{A} \mathbf{D}^{-1/2}
    \approx \mathbf{P} \mathbf{\Sigma} \mathbf{Q}^{\top}`, the tables become :math:`\mathbf{P}
    \mathbf{\Sigma}^{1/2}` and :math:`\mathbf{Q} \mathbf{\Sigma}^{1/2}`, scaled to the mean norm
    that their rows have, plus a share of what they hold. Whoever has no interactions starts from
    that share alone.

    Args:
        user (Tensor): the users' table, freshly drawn.
        item (Tensor): the items' table, likewise.
        data: the graph; its edges from users to items count.
        noise (float): share of the drawn values that stays. (default: ``0.1``)

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``
    """
    for table, start in zip((user, item), low_rank(data, user.size(1)), strict=True):
        scale = table.norm(dim=1).mean() / start.norm(dim=1).mean()
        table *= noise
        table[:, : start.size(1)] += scale * start


def low_rank(data: HeteroData, rank: int) -> tuple[Tensor, Tensor]:
    r"""The vectors of users and items, :math:`\mathbf{P} \mathbf{\Sigma}^{1/2}` and
    :math:`\mathbf{Q} \mathbf{\Sigma}^{1/2}`, that :func:`spectral_start` starts from.

    Args:
        data: the graph; its edges from users to items count.
        rank (int): how many singular values; all, where there are fewer.

    Shapes:
        - **output:** ``[M, rank]``, ``[N, rank]``
    """
    graph, _ = user_item_graphs(data)  # [N, M]: items are the destinations
    matrix = torch.sparse_coo_tensor(
        torch.stack([graph.dst, graph.col]).long(),
        graph.weight,
        (graph.num_dst, graph.num_src),
        check_invariants=True,
        is_coalesced=True,
    )
    rank = min(rank, *matrix.shape)
    vectors = torch.svd_lowrank(matrix, min(rank + 10, *matrix.shape), niter=4)
    q, sigma, p = (x[..., :rank] for x in vectors)
    return p * sigma.sqrt(), q * sigma.sqrt()
