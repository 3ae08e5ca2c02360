import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.low_rank_ranking import compared, log_ranks
from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.schema import USER_TO_ITEM

_RIDGE = 10.0


@torch.no_grad()
def choose_content(
    data: HeteroData,
    coordinates: Tensor,
    similarity: Similarity,
    vectors: tuple[Tensor, Tensor] | None = None,
    rank: int = 64,
) -> bool:
    r"""Whether items' features had better add to their embeddings, as
    :class:`~crane_pyg.nn.ContentTerm` has them do.

    That shows without training: the low-rank vectors :math:`\mathbf{q}_i` of
    :func:`~crane_pyg.nn.spectral_start` rank the validation split with and without what the
    features say of them,

    .. math::
        \mathbf{q}_i + \mathbf{B}^{\top} \mathbf{x}_i , \qquad \mathbf{B} = \arg\min_{\mathbf{B}}
        \sum_i n_i \| \mathbf{q}_i - \mathbf{B}^{\top} \mathbf{x}_i \|^2 + 10 \| \mathbf{B} \|^2

    where :math:`n_i` is how many took the item. Where vectors so blended rank better, what items
    are says who takes them beyond what was taken; where they rank worse, the term only costs. They
    are compared by the mean logarithm of the ranks of what is held out, of 2,048 users at most.

    Args:
        data: the graph, with its validation split; without one, they had better not.
        coordinates (Tensor): what :meth:`~crane_pyg.nn.ContentTerm.coordinates` gives.
        similarity: what embeddings will be compared by, ``'cosine'`` or ``'inner'``.
        vectors (pair, optional): what ``spectral_start.low_rank`` gave already.
            (default: it is called)
        rank (int): of the vectors. (default: ``64``)

    Shapes:
        - **coordinates:** ``[N, r]``, **vectors:** ``[M, rank]`` and ``[N, rank]``

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import ContentTerm, choose_content
        >>> from crane_pyg.schema import modalities
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> term = ContentTerm(modalities(data))
        >>> term.warm_start(data)
        >>> choose_content(data, term.coordinates(data), "cosine")
        True
    """
    user, item = low_rank(data, rank) if vectors is None else vectors
    taken = torch.bincount(data[USER_TO_ITEM].edge_index[1], minlength=item.size(0)).unsqueeze(1)
    weighted = (coordinates * taken).T
    ridge = _RIDGE * torch.eye(coordinates.size(1), device=item.device)
    told = coordinates @ torch.linalg.solve(weighted @ coordinates + ridge, weighted @ item)
    both = [compared(x, data, similarity) for x in (item, item + told)]
    plain, blended = log_ranks(data, user, both).mean(1)
    return bool(blended < plain)
