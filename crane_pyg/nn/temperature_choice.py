from collections.abc import Iterator, Sequence

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
_EPOCHS = 2
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
    the low-rank vectors of :func:`~crane_pyg.nn.spectral_start` and learn for two epochs at
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
    cold, warm = _ndcg_at((COLD, WARM), data, rank, k, vectors)
    return COLD if beyond_chance(cold - warm) else WARM


def _ndcg_at(
    temperatures: Sequence[float],
    data: HeteroData,
    rank: int,
    k: int,
    vectors: tuple[Tensor, Tensor],
) -> list[Tensor]:
    """NDCG of folds of the users at each temperature, of embeddings that learned for a short while.

    They learn apart, but from the same batches, so that they take one step together: of few rows
    most of a step's time is not spent on the rows.
    """
    edge_index = data[USER_TO_ITEM].edge_index
    generator, nodes = torch.Generator().manual_seed(0), sizes(data)
    user, item = (_table(n, rank, generator).to(edge_index.device) for n in nodes)
    spectral_start(user, item, data, vectors=vectors)
    table = torch.cat([user, item]).repeat(len(temperatures), 1).requires_grad_()
    first = torch.arange(0, table.size(0), sum(nodes), device=table.device).unsqueeze(1)
    rate = 1 / table.new_tensor(temperatures).view(-1, 1, 1)
    optimizer = torch.optim.SparseAdam([table], lr=_LR)
    for (source, pos), neg in _batches(edge_index, nodes[1], generator):
        optimizer.zero_grad()
        hidden = (pos.unsqueeze(1) == neg).repeat(len(temperatures), 1)
        row = torch.cat([source, nodes[0] + pos, nodes[0] + neg])
        rows = F.embedding(first + row, table, sparse=True)
        unit = unit_rows(rows.flatten(0, 1)).view(rows.shape)
        u, i, j = torch.split(unit, [len(source), len(pos), len(neg)], dim=1)
        u = rate * u
        logits = (u * i).sum(2).flatten(), (u @ j.mT).flatten(0, 1)
        costs: Tensor = CrossEntropy.apply(*logits, hidden, 1.0)  # type: ignore[no-untyped-call]
        (costs.sum() / len(pos)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()  # type: ignore[no-untyped-call]
    found = []
    for learned in torch.split(table.detach(), sum(nodes)):
        one, other = torch.split(learned, [*nodes])
        ndcg = ndcg_of_folds(data, one, [unit_rows(other)], k)
        assert ndcg is not None
        found.append(ndcg[0])
    return found


def _table(size: int, width: int, generator: torch.Generator) -> Tensor:
    return torch.nn.init.xavier_uniform_(torch.empty(size, width), generator=generator)


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
