import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredNDCG

from crane_pyg.nn.objectives import Similarity
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.ops import some_of, unit_rows
from crane_pyg.schema import USER_TO_ITEM, sizes

_BATCH = 1024  # users ranked at a time
_MOST_USERS = 8192  # ranked at all


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
    root of the item's degree, which their normalisation has taken off. The better NDCG wins. Of
    more than 8,192 users of that split so many count, drawn at random, always the same.

    Args:
        data: the graph, with its validation split; without one, cosines are chosen.
        rank (int): of the vectors. (default: ``64``)
        k (int): cut-off of the NDCG. (default: ``20``)
        vectors (pair, optional): what :func:`~crane_pyg.nn.spectral_start.low_rank` gave already.
            (default: it is called)
    """
    train = data[USER_TO_ITEM].edge_index
    held_out = data[USER_TO_ITEM].get("val_edge_label_index")
    if held_out is None or held_out.size(1) == 0 or sizes(data)[1] < k:
        return "cosine"
    user, item = low_rank(data, rank) if vectors is None else vectors
    degree = torch.bincount(train[1], minlength=item.size(0)).sqrt()
    found = {
        "inner": _ndcg(user, item * degree.unsqueeze(1), train, held_out, k),
        "cosine": _ndcg(user, unit_rows(item) * degree.unsqueeze(1), train, held_out, k),
    }
    return "inner" if found["inner"] > found["cosine"] else "cosine"


def _ndcg(user: Tensor, item: Tensor, train: Tensor, held_out: Tensor, k: int) -> float:
    """NDCG@k over all items but those of training; a user's length does not change the ranking."""
    metric = LinkPredNDCG(k).to(user.device)
    row_of = torch.full((user.size(0),), -1, device=user.device)
    for users in torch.split(some_of(torch.unique(held_out[0]), _MOST_USERS), _BATCH):
        row_of[users] = torch.arange(users.numel(), device=user.device)
        score = user[users] @ item.T
        score[_block(row_of, train)] = -torch.inf
        metric.update(score.topk(k).indices, torch.stack(_block(row_of, held_out)))
        row_of[users] = -1
    return float(metric.compute())


def _block(row_of: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The edges of a block's users, by their rows in it."""
    row = row_of[edges[0]]
    return row[row >= 0], edges[1, row >= 0]
