import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import choose_similarity, similarity_choice
from crane_pyg.ops import some_of
from crane_pyg.schema import USER_TO_ITEM


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
        found.append(sum(g for g, hit in zip(gains, hits, strict=True) if hit) / best)
    return float(torch.stack([torch.as_tensor(x) for x in found]).mean())


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_one_that_ranks_validation_better(monkeypatch, seed):
    data = drawn(seed)
    torch.manual_seed(seed)
    user, item = torch.randn(30, 8), torch.randn(40, 8) * torch.rand(40, 1)
    monkeypatch.setattr(similarity_choice, "low_rank", lambda data, rank: (user, item))
    monkeypatch.setattr(similarity_choice, "_BATCH", 7)
    degree = torch.bincount(data[USER_TO_ITEM].edge_index[1], minlength=40).sqrt().unsqueeze(1)
    inner = by_hand(data, user, item * degree)
    cosine = by_hand(data, user, F.normalize(item, dim=1) * degree)
    assert choose_similarity(data, k=5) == ("inner" if inner > cosine else "cosine")


def test_both_are_chosen_on_some_data(monkeypatch):
    monkeypatch.setattr(similarity_choice, "_BATCH", 7)
    assert {choose_similarity(drawn(seed), rank=8, k=5) for seed in range(12)} == {
        "inner",
        "cosine",
    }


def test_without_validation_it_is_cosines():
    assert choose_similarity(drawn(0, label_share=0.0)) == "cosine"


@pytest.mark.parametrize("seed", range(4))
def test_of_many_users_some_count(monkeypatch, seed):
    data = drawn(seed)
    torch.manual_seed(seed)
    vectors = user, item = torch.randn(30, 8), torch.randn(40, 8) * torch.rand(40, 1)
    monkeypatch.setattr(similarity_choice, "_MOST_USERS", 9)
    found = choose_similarity(data, k=5, vectors=vectors)
    held_out = data[USER_TO_ITEM].val_edge_label_index
    kept = torch.isin(held_out[0], some_of(held_out[0].unique(), 9))
    data[USER_TO_ITEM].val_edge_label_index = held_out[:, kept]
    degree = torch.bincount(data[USER_TO_ITEM].edge_index[1], minlength=40).sqrt().unsqueeze(1)
    inner = by_hand(data, user, item * degree)
    cosine = by_hand(data, user, F.normalize(item, dim=1) * degree)
    assert found == ("inner" if inner > cosine else "cosine")
