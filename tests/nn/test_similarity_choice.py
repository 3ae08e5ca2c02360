import importlib
import math
import statistics

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import choose_similarity, low_rank_ranking, similarity_choice
from crane_pyg.ops import some_of
from crane_pyg.schema import USER_TO_ITEM

spectral_start = importlib.import_module("crane_pyg.nn.spectral_start")


def drawn(seed, label_share=0.2):
    generator = torch.Generator().manual_seed(seed)
    popular = torch.linspace(0.05, 0.6, 40)
    edge_index = (torch.rand(30, 40, generator=generator) < popular).nonzero().T
    label = (torch.rand(edge_index.size(1), generator=generator) < label_share).long()
    return build_hetero_data(edge_index, label, num_users=30, num_items=40)


def by_hand(data, user, item):
    """NDCG@5 of one user after the other."""
    train, held_out = data[USER_TO_ITEM].edge_index, data[USER_TO_ITEM].val_edge_label_index
    found = []
    for u in held_out[0].unique().tolist():
        score = item @ user[u]
        score[train[1, train[0] == u]] = -torch.inf
        wanted = set(held_out[1, held_out[0] == u].tolist())
        gains = [1 / torch.log2(torch.tensor(place + 2.0)) for place in range(5)]
        hits = [i in wanted for i in score.topk(5).indices.tolist()]
        best = sum(gains[: len(wanted)])
        found.append(float(sum(g for g, hit in zip(gains, hits, strict=True) if hit) / best))
    return found


def chosen_by_hand(data, user, item):
    """By a paired comparison of folds of users, as many as fit."""
    degree = torch.bincount(data[USER_TO_ITEM].edge_index[1], minlength=40).sqrt().unsqueeze(1)
    inner = by_hand(data, user, item * degree)
    cosine = by_hand(data, user, F.normalize(item, dim=1) * degree)
    size = math.ceil(len(inner) / low_rank_ranking._FOLDS)
    gains = [
        statistics.mean(inner[i : i + size]) - statistics.mean(cosine[i : i + size])
        for i in range(0, len(inner), size)
    ]
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    return "inner" if statistics.mean(gains) > 1.645 * error else "cosine"


def vectors(seed, data, weight):
    """Lengths of items that follow how often they are held out, or the contrary."""
    generator = torch.Generator().manual_seed(seed)
    held_out = data[USER_TO_ITEM].val_edge_label_index
    length = torch.bincount(held_out[1], minlength=40).add(1.0) ** weight
    user, item = (torch.randn(n, 8, generator=generator).abs() for n in (30, 40))
    return user, F.normalize(item, dim=1) * length.unsqueeze(1)


def patch(monkeypatch, both):
    monkeypatch.setattr(similarity_choice, "low_rank", lambda *_: both)


@pytest.mark.parametrize("weight", [1.0, 0.3, 0.0, -1.0])
@pytest.mark.parametrize(("seed", "folds"), [(0, 64), (1, 64), (2, 16), (3, 16)])
def test_lengths_count_where_they_rank_validation_better_beyond_chance(
    monkeypatch, seed, folds, weight
):
    data = drawn(seed)
    both = vectors(seed, data, weight)
    patch(monkeypatch, both)
    monkeypatch.setattr(low_rank_ranking, "_FOLDS", folds)
    assert choose_similarity(data, k=5) == chosen_by_hand(data, *both)


@pytest.mark.parametrize(("weight", "expected"), [(1.0, "inner"), (-1.0, "cosine")])
def test_both_are_chosen_on_some_data(monkeypatch, weight, expected):
    data = drawn(0)
    patch(monkeypatch, vectors(0, data, weight))
    assert choose_similarity(data, k=5) == expected


@pytest.mark.parametrize("given", [False, True])
def test_the_draw_does_not_decide(monkeypatch, given):
    """What is compared are the vectors of the largest singular values, from wherever they come."""
    # Four groups with tastes of their own: the fifth singular value lies well below the fourth.
    group = torch.arange(60).unsqueeze(1) % 4 == torch.arange(40) % 4
    taken = group & (torch.rand(60, 40, generator=torch.Generator().manual_seed(0)) < 0.7)
    edge_index = taken.nonzero().T
    label = (torch.arange(edge_index.size(1)) % 5 == 0).long()
    data, seen = build_hetero_data(edge_index, label, num_users=60, num_items=40), []

    def low_rank(*args):
        seen.append(spectral_start.low_rank(*args))
        return seen[-1]

    monkeypatch.setattr(similarity_choice, "low_rank", low_rank)
    for seed in (0, 1):
        torch.manual_seed(seed)
        start = torch.randn(60, 4) if given else None
        choose_similarity(data, rank=4, k=5, start=start)
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one @ one.T, other @ other.T, rtol=0, atol=1e-3)


def test_without_validation_it_is_cosines():
    assert choose_similarity(drawn(0, label_share=0.0)) == "cosine"


@pytest.mark.parametrize("seed", range(4))
def test_of_many_users_some_count(monkeypatch, seed):
    data = drawn(seed)
    both = vectors(seed, data, 0.5)
    patch(monkeypatch, both)
    monkeypatch.setattr(low_rank_ranking, "_MOST_USERS", 9)
    found = choose_similarity(data, k=5)
    held_out = data[USER_TO_ITEM].val_edge_label_index
    kept = torch.isin(held_out[0], some_of(held_out[0].unique(), 9))
    data[USER_TO_ITEM].val_edge_label_index = held_out[:, kept]
    assert found == chosen_by_hand(data, *both)


def test_one_user_decides_nothing():
    data = drawn(0)
    data[USER_TO_ITEM].val_edge_label_index = data[USER_TO_ITEM].val_edge_label_index[:, :1]
    assert choose_similarity(data, k=5) == "cosine"
