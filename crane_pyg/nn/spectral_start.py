import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.user_item import user_item_graphs
from crane_pyg.schema import USER_TO_ITEM


@torch.no_grad()
def spectral_start(
    user: Tensor,
    item: Tensor,
    data: HeteroData,
    noise: float = 0.1,
    similarity: Similarity = "cosine",
) -> None:
    r"""Start embeddings from what the interactions look like at a low rank, in place.

    With the singular vectors and values of :math:`\mathbf{D}^{-1/2} \mathbf{A} \mathbf{D}^{-1/2}
    \approx \mathbf{P} \mathbf{\Sigma} \mathbf{Q}^{\top}`, the tables become :math:`\mathbf{P}
    \mathbf{\Sigma}^{1/2}` and :math:`\mathbf{Q} \mathbf{\Sigma}^{1/2}`, scaled to the mean norm
    that their rows have, plus a share of what they hold. Whoever has no interactions starts from
    that share alone. Embeddings to be compared by inner products get back what the normalisation
    has taken off: each row times the root of its degree, so that the popular are longer.

    Args:
        user (Tensor): the users' table, freshly drawn.
        item (Tensor): the items' table, likewise.
        data: the graph; its edges from users to items count.
        noise (float): share of the drawn values that stays. (default: ``0.1``)
        similarity (str): what the embeddings will be compared by, ``'cosine'`` or ``'inner'``.
            (default: ``'cosine'``)

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``
    """
    starts = low_rank(data, user.size(1))
    for table, start, node in zip((user, item), starts, data[USER_TO_ITEM].edge_index, strict=True):
        if similarity == "inner":
            start = start * torch.bincount(node, minlength=start.size(0)).sqrt().unsqueeze(1)
        start = start.to(table.device)
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
