import copy
import math
import statistics

import pytest
import torch

from crane_pyg.nn import ContentTerm, choose_content, low_rank_ranking
from crane_pyg.nn.low_rank_ranking import compared
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.schema import USER_TO_ITEM

WIDTHS = {"textual": 5, "visual": 12}


def coordinates(data):
    torch.manual_seed(0)
    term = ContentTerm(WIDTHS)
    term.warm_start(data)
    return term.coordinates(data)


def by_hand(data, user, item):
    """The mean over users of the mean logarithm of the ranks of what is held out, from 2 on."""
    train = data[USER_TO_ITEM].edge_index.T.tolist()
    held_out = data[USER_TO_ITEM].val_edge_label_index.T.tolist()
    means = []
    for u in sorted({u for u, _ in held_out}):
        score = {i: float(user[u] @ item[i]) for i in range(40) if [u, i] not in train}
        ranks = [sum(x > score[i] for x in score.values()) for v, i in held_out if v == u]
        means.append(statistics.mean(math.log2(rank + 2) for rank in ranks))
    return statistics.mean(means)


@pytest.mark.parametrize("at_a_time", [1, 100, 1 << 26])
@pytest.mark.parametrize("batch", [1, 7, 256])
def test_log_ranks_equal_a_loop_over_users(checkerboard, monkeypatch, batch, at_a_time):
    monkeypatch.setattr(low_rank_ranking, "_BATCH", batch)
    monkeypatch.setattr(low_rank_ranking, "_MOST_COMPARED", at_a_time)
    torch.manual_seed(0)
    user, item = torch.randn(24, 6), torch.randn(40, 6)
    found, other = low_rank_ranking.log_ranks(checkerboard, user, [item, -item])
    assert found.mean().item() == pytest.approx(by_hand(checkerboard, user, item), rel=1e-5)
    assert other.mean().item() == pytest.approx(by_hand(checkerboard, user, -item), rel=1e-5)
    (few,) = low_rank_ranking.log_ranks(checkerboard, user, [item], most_users=3)
    assert few.numel() == 3
    assert torch.isin(few, found).all()


def test_content_that_shows_what_users_like(checkerboard):
    """Users take the items of one kind; the coordinates are the kind itself."""
    kind = (torch.arange(40) % 2).float()
    told = torch.stack([kind, 1 - kind], dim=1)
    torch.manual_seed(0)
    assert choose_content(checkerboard, told, "cosine")


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_content_that_says_nothing(checkerboard, similarity):
    torch.manual_seed(0)
    noise = torch.randn(40, 30)
    vectors = low_rank(checkerboard, 6)
    assert not choose_content(checkerboard, noise, similarity, vectors)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("seed", range(5))
def test_it_blends_with_the_ridge_of_the_definition(checkerboard, seed, similarity):
    torch.manual_seed(seed)
    x, (user, item) = torch.randn(40, 3), low_rank(checkerboard, 6)
    taken = torch.bincount(checkerboard[USER_TO_ITEM].edge_index[1], minlength=40).double()
    rows = torch.cat([taken.sqrt().unsqueeze(1) * x.double(), 10**0.5 * torch.eye(3).double()])
    goal = torch.cat([taken.sqrt().unsqueeze(1) * item.double(), torch.zeros(3, 6).double()])
    blended = item + (x.double() @ torch.linalg.lstsq(rows, goal).solution).float()
    plain, mixed = (
        by_hand(checkerboard, user, compared(q, checkerboard, similarity)) for q in (item, blended)
    )
    found = choose_content(checkerboard, x, similarity, (user, item))
    assert found == (mixed < plain)


def test_without_validation_it_had_better_not(checkerboard):
    data = copy.copy(checkerboard)
    data[USER_TO_ITEM].val_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    assert not choose_content(data, coordinates(data), "cosine")
    del data[USER_TO_ITEM].val_edge_label_index
    assert not choose_content(data, coordinates(data), "cosine")
