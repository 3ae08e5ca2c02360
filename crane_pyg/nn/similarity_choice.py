import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredNDCG

from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.ops import some_of, unit_rows
from crane_pyg.schema import USER_TO_ITEM, sizes

_FOLDS = 16  # of the users, at least
_BATCH = 256  # users of a fold, at most
_MOST_USERS = 8192


@torch.no_grad()
def choose_similarity(
    data: HeteroData,
    rank: int = 64,
    k: int = 20,
    vectors: tuple[Tensor, Tensor] | None = None,
) -> Similarity:
    r"""Whether embeddings of these data had better be compared by inner products or by cosines.

    On some data the length of an embedding helps to rank (dense ones, as a rule), on others it does
    harm, and which is which shows without training: the low-rank vectors of
    :func:`~crane_pyg.nn.spectral_start` rank the validation split both ways, each score times the
    root of the item's degree, which their normalisation has taken off. Inner products are chosen
    where their NDCG is better by two standard errors, over folds of the users, for it costs more to
    choose them in error. Of more than 8,192 users of that split so many count, drawn at random,
    always the same.

    Args:
        data: the graph, with its validation split; without one, cosines are chosen.
        rank (int): of the vectors. (default: ``64``)
        k (int): cut-off of the NDCG. (default: ``20``)
        vectors (pair, optional): what ``spectral_start.low_rank`` gave already.
            (default: it is called)

    Shapes:
        - **vectors:** ``[M, rank]`` and ``[N, rank]``

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import choose_similarity
        >>> choose_similarity(SyntheticMultimodal("tiny")[0])
        'cosine'
    """
    train = data[USER_TO_ITEM].edge_index
    held_out = data[USER_TO_ITEM].get("val_edge_label_index")
    if held_out is None or held_out.size(1) == 0 or sizes(data)[1] < k:
        return "cosine"
    user, item = low_rank(data, rank) if vectors is None else vectors
    degree = torch.bincount(train[1], minlength=item.size(0)).sqrt().unsqueeze(1)
    inner, cosine = item * degree, unit_rows(item) * degree
    users = some_of(torch.unique(held_out[0]), _MOST_USERS)
    folds = torch.split(users, min(_BATCH, -(-users.numel() // _FOLDS)))
    row_of = torch.full((user.size(0),), -1, device=user.device)
    gains = []
    for fold in folds:
        row_of[fold] = torch.arange(fold.numel(), device=user.device)
        seen, wanted = _block(row_of, train), torch.stack(_block(row_of, held_out))
        row_of[fold] = -1
        found = [_ndcg(user[fold] @ x.T, seen, wanted, k) for x in (inner, cosine)]
        gains.append(found[0] - found[1])
    gain = torch.tensor(gains)
    if len(gains) < 2:
        return "cosine"
    error = gain.std() / len(gains) ** 0.5
    return "inner" if gain.mean() > 2 * error else "cosine"


def _ndcg(score: Tensor, seen: tuple[Tensor, Tensor], wanted: Tensor, k: int) -> float:
    """NDCG@k over all items but those of training; a user's length does not change the ranking."""
    metric = LinkPredNDCG(k).to(score.device)
    metric.update(score.index_put(seen, score.new_tensor(-torch.inf)).topk(k).indices, wanted)
    return float(metric.compute())


def _block(row_of: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The edges of a block's users, by their rows in it."""
    row = row_of[edges[0]]
    return row[row >= 0], edges[1, row >= 0]
