import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.low_rank_ranking import beyond_chance, compared, ndcg_of_folds
from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.spectral_start import low_rank

_ITERATIONS = 16


@torch.no_grad()
def choose_similarity(
    data: HeteroData,
    rank: int = 64,
    k: int = 20,
    start: Tensor | None = None,
) -> Similarity:
    r"""Whether embeddings of these data had better be compared by inner products or by cosines.

    On some data the length of an embedding helps to rank (dense ones, as a rule), on others it does
    harm, and which is which shows without training: the low-rank vectors of
    :func:`~crane_pyg.nn.spectral_start` rank the validation split both ways, each score times the
    root of the item's degree, which their normalisation has taken off. Inner products are chosen
    where their NDCG is better at a level of 5%, over folds of the users, for it costs more to
    choose them in error. Of more than 8,192 users of that split so many count, drawn at random,
    always the same. The vectors are iterated until their draw no longer decides.

    Args:
        data: the graph, with its validation split; without one, cosines are chosen.
        rank (int): of the vectors. (default: ``64``)
        k (int): cut-off of the NDCG. (default: ``20``)
        start (Tensor, optional): vectors of the users to iterate from. (default: drawn)

    Shapes:
        - **start:** ``[M, rank]``

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import choose_similarity
        >>> choose_similarity(SyntheticMultimodal("tiny")[0])
        'cosine'
    """
    user, item = low_rank(data, rank, _ITERATIONS, start)
    kinds: tuple[Similarity, ...] = ("inner", "cosine")
    found = ndcg_of_folds(data, user, [compared(item, data, kind) for kind in kinds], k)
    if found is None:
        return "cosine"
    return "inner" if beyond_chance(found[0] - found[1]) else "cosine"
