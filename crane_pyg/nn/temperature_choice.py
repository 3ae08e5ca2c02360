from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.low_rank_ranking import beyond_chance, can_rank, ndcg_of_folds
from crane_pyg.nn.objectives.cross_entropy import CrossEntropy
from crane_pyg.nn.spectral_start import low_rank, spectral_start
from crane_pyg.ops import unit_rows
from crane_pyg.schema import USER_TO_ITEM, sizes

WARM = 0.2
COLD = 0.1
_EPOCHS = 3
_STEPS = 128  # of an epoch, at most
_BATCH = 1024  # pairs, more of them where an epoch would have more steps
_LARGEST_BATCH = 8192
_NEGATIVES = 256  # for all rows of a batch
_LR = 3e-3


def choose_temperature(
    data: HeteroData,
    rank: int = 64,
    k: int = 20,
    vectors: tuple[Tensor, Tensor] | None = None,
) -> float:
    r"""How far apart softmax had better push the cosines of what a user took and did not take.

    Where the catalogue falls into many narrow fields, a temperature of 0.2 leaves neighbours too
    close to tell them apart; elsewhere 0.1 learns by heart. No statistic of the interactions that
    was tried says which, but a short training does: embeddings alone, without a graph, start from
    the low-rank vectors of :func:`~crane_pyg.nn.spectral_start` and learn for three epochs at
    either temperature, from at most a million pairs in each. The lower is chosen where its NDCG on
    validation is better at a level of 5%, over folds of the users.

    It draws from a generator of its own, always the same.

    Args:
        data: the graph, with its validation split; without one, 0.2 is chosen.
        rank (int): width of the embeddings. (default: ``64``)
        k (int): cut-off of the NDCG. (default: ``20``)
        vectors (tuple, optional): the low-rank ones of users and items, see
            :func:`~crane_pyg.nn.spectral_start`. (default: computed)

    Returns:
        0.1 or 0.2

    Shapes:
        - **vectors:** ``[M, rank]`` and ``[N, rank]``

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import choose_temperature
        >>> choose_temperature(SyntheticMultimodal("tiny")[0])
        0.2
    """
    if not can_rank(data, k):
        return WARM
    vectors = low_rank(data, rank) if vectors is None else vectors
    cold, warm = (_ndcg_at(temperature, data, rank, k, vectors) for temperature in (COLD, WARM))
    return COLD if beyond_chance(cold - warm) else WARM


def _ndcg_at(
    temperature: float,
    data: HeteroData,
    rank: int,
    k: int,
    vectors: tuple[Tensor, Tensor],
) -> Tensor:
    """NDCG of folds of the users, of embeddings that learned for a short while."""
    edge_index = data[USER_TO_ITEM].edge_index
    generator = torch.Generator().manual_seed(0)
    user, item = (_table(n, rank, generator).to(edge_index.device) for n in sizes(data))
    spectral_start(user, item, data, vectors=vectors)
    tables = [user.requires_grad_(), item.requires_grad_()]
    optimizer = torch.optim.SparseAdam(tables, lr=_LR)
    for (source, pos), neg in _batches(edge_index, item.size(0), generator):
        optimizer.zero_grad()
        hidden = pos.unsqueeze(1) == neg
        u, i, j = (_unit(table, x) for table, x in ((user, source), (item, pos), (item, neg)))
        similarities = (u * i).sum(1), u @ j.T
        costs: Tensor = CrossEntropy.apply(*similarities, hidden, 1 / temperature)  # type: ignore[no-untyped-call]
        costs.mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()  # type: ignore[no-untyped-call]
    found = ndcg_of_folds(data, user.detach(), [unit_rows(item.detach())], k)
    assert found is not None
    return found[0]


def _table(size: int, width: int, generator: torch.Generator) -> Tensor:
    return torch.nn.init.xavier_uniform_(torch.empty(size, width), generator=generator)


def _unit(table: Tensor, row: Tensor) -> Tensor:
    return unit_rows(F.embedding(row, table, sparse=True))


def _batches(
    edge_index: Tensor, num_items: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs that were taken, and items drawn for all of them, of all epochs."""
    num_edges, device = edge_index.size(1), edge_index.device
    size = min(max(_BATCH, -(-num_edges // _STEPS)), _LARGEST_BATCH)
    for _ in range(_EPOCHS):
        order = torch.randperm(num_edges, generator=generator).to(device)
        for rows in torch.split(order, size)[:_STEPS]:
            neg = torch.randint(num_items, (_NEGATIVES,), generator=generator)
            yield edge_index[:, rows], neg.to(device)
