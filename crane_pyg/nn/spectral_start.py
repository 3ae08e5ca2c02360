import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.user_item import user_item_graphs
from crane_pyg.ops import spmm
from crane_pyg.schema import USER_TO_ITEM, sizes

_ITERATIONS = 4


@torch.no_grad()
def spectral_start(
    user: Tensor,
    item: Tensor,
    data: HeteroData,
    noise: float = 0.1,
    similarity: Similarity = "cosine",
    vectors: tuple[Tensor, Tensor] | None = None,
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
        vectors (pair, optional): what :func:`low_rank` gave already. (default: it is called)

    Shapes:
        - **user:** ``[M, d]``, **item:** ``[N, d]``

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import spectral_start
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> user, item = torch.randn(300, 16), torch.randn(200, 16)
        >>> spectral_start(user, item, data)
        >>> taken = data["user", "item"].edge_index
        >>> cosine = torch.nn.functional.cosine_similarity
        >>> bool(cosine(user[taken[0]], item[taken[1]]).mean() > cosine(user[:200], item).mean())
        True
    """
    starts = low_rank(data, user.size(1)) if vectors is None else vectors
    for table, start, node in zip((user, item), starts, data[USER_TO_ITEM].edge_index, strict=True):
        if similarity == "inner":
            start = start * torch.bincount(node, minlength=start.size(0)).sqrt().unsqueeze(1)
        start = start.to(table.device)
        scale = table.norm(dim=1).mean() / start.norm(dim=1).mean()
        table *= noise
        table[:, : start.size(1)] += scale * start


def low_rank(
    data: HeteroData, rank: int, iterations: int = _ITERATIONS, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""The vectors of users and items, :math:`\mathbf{P} \mathbf{\Sigma}^{1/2}` and
    :math:`\mathbf{Q} \mathbf{\Sigma}^{1/2}`, that :func:`spectral_start` starts from.

    By subspace iteration from a random start, Algorithm 4.4 of `"Finding Structure with Randomness"
    <https://arxiv.org/abs/0909.4061>`_, as :func:`torch.svd_lowrank` does, whose products with a
    sparse matrix are several times slower.

    Args:
        data: the graph; its edges from users to items count.
        rank (int): how many singular values; all, where there are fewer.
        iterations (int): after four the subspace explains nearly as much as the best one, but is
            another for each draw. (default: ``4``)
        start (Tensor, optional): vectors of the users to go on from. (default: drawn)

    Shapes:
        - **start:** ``[M, rank]``
        - **output:** ``[M, rank]``, ``[N, rank]``
    """
    to_item, to_user = user_item_graphs(data)
    rank = min(rank, *sizes(data))
    basis = start
    if basis is None:
        width = min(rank + 10, *sizes(data))  # a few more, so that the last ones are found too
        basis = torch.randn(to_item.num_src, width, device=to_item.weight.device)
    for _ in range(iterations):
        basis = torch.linalg.qr(spmm(to_user, spmm(to_item, basis))).Q
    q, sigma, turn = torch.linalg.svd(spmm(to_item, basis), full_matrices=False)
    p = basis @ turn.T
    root = sigma[:rank].sqrt()
    return p[:, :rank] * root, q[:, :rank] * root
