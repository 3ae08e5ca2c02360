import math

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import LightGCN
from crane_pyg.ops import some_of
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import evaluate, evaluate_scorers, evaluation


def naive(score, truth, hidden, k):
    """Recall and NDCG, one user after the other, straight from the definitions."""
    recalls, ndcgs = [], []
    for user in sorted({u for u, _ in truth}):
        wanted = {i for u, i in truth if u == user}
        banned = {i for u, i in hidden if u == user}
        ranking = sorted(range(score.size(1)), key=lambda i: -score[user, i])
        top = [i for i in ranking if i not in banned][:k]
        hits = [1 / math.log2(r + 2) for r, i in enumerate(top) if i in wanted]
        ideal = sum(1 / math.log2(r + 2) for r in range(min(k, len(wanted))))
        recalls.append(len(hits) / len(wanted))
        ndcgs.append(sum(hits) / ideal)
    return sum(recalls) / len(recalls), sum(ndcgs) / len(ndcgs)


def random_data(num_users=37, num_items=53, num_pairs=600):
    key = torch.randperm(num_users * num_items)[:num_pairs]
    edge_index = torch.stack([key // num_items, key % num_items])
    label = torch.randint(3, (num_pairs,))
    return build_hetero_data(edge_index, label, num_users=num_users, num_items=num_items)


@pytest.mark.parametrize("protocol", ["strict", "mmrec"])
@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("batch_size", [1, 16, 1000])
@pytest.mark.parametrize("held", [1, 200, 1 << 26])
def test_metrics_equal_a_loop_over_users(fixed, monkeypatch, held, split, protocol, batch_size):
    monkeypatch.setattr(evaluation, "_SCORES", held)
    data = random_data()
    score = torch.randn(37, 53)
    out = evaluate(fixed(score), data, split, protocol=protocol, ks=(3, 10), batch_size=batch_size)
    store = data["user", "interacts", "item"]
    hidden = store.edge_index.T.tolist()
    if split == "test" and protocol == "strict":
        hidden += store.val_edge_label_index.T.tolist()
    truth = store[f"{split}_edge_label_index"].T.tolist()
    for k in (3, 10):
        recall, ndcg = naive(score, truth, hidden, k)
        assert out[f"Recall@{k}"] == pytest.approx(recall, rel=1e-5)
        assert out[f"NDCG@{k}"] == pytest.approx(ndcg, rel=1e-5)


def test_a_ranking_one_can_draw(fixed):
    # Training: item 0; validation: item 1; test: item 2. Scores fall with the item's number.
    data = build_hetero_data(
        torch.tensor([[0, 0, 0], [0, 1, 2]]), torch.tensor([0, 1, 2]), num_users=1, num_items=4
    )
    model = fixed(torch.tensor([[4.0, 3.0, 2.0, 1.0]]))
    assert evaluate(model, data, "val", ks=(1,))["Recall@1"] == 1
    assert evaluate(model, data, "test", ks=(1,), protocol="strict")["Recall@1"] == 1
    second = evaluate(model, data, "test", ks=(1, 2), protocol="mmrec")
    assert second["Recall@1"] == 0  # the validation item stands in the way
    assert second["Recall@2"] == 1
    assert second["NDCG@2"] == pytest.approx(1 / math.log2(3))


def test_never_more_scores_than_one_block_of_users(fixed, monkeypatch):
    data, seen = random_data(), []
    topk = torch.Tensor.topk
    monkeypatch.setattr(
        torch.Tensor, "topk", lambda self, k: seen.append(self.numel()) or topk(self, k)
    )
    evaluate(fixed(torch.randn(37, 53)), data, "val", ks=(5,), batch_size=8)
    assert len(seen) > 1
    assert max(seen) <= 8 * 53


def test_of_a_large_catalogue_few_users_are_scored_at_a_time(monkeypatch):
    monkeypatch.setattr(evaluation, "_SCORES", 3 * 53)
    data, score, asked = random_data(), torch.randn(37, 53), []
    evaluate_scorers([lambda user: asked.append(user.numel()) or score[user]], data, batch_size=8)
    assert max(asked) == 3
    assert sum(asked) == data[USER_TO_ITEM].val_edge_label_index[0].unique().numel()


def test_several_scorers_are_given_the_same_users(fixed):
    data, score, asked = random_data(), torch.randn(37, 53), []

    def first(user):
        asked.append(user)
        return score[user]

    def second(user):
        assert user is asked[-1]
        return -score[user]

    found = evaluate_scorers([first, second], data, batch_size=8)
    assert len(asked) == 5
    assert found == [evaluate(fixed(x), data, batch_size=8) for x in (score, -score)]


def test_the_mode_of_the_model_is_restored(fixed):
    model = fixed(torch.randn(37, 53)).train()
    evaluate(model, random_data(), "val", ks=(5,))
    assert model.training


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"split": "train"}, "split must be one of 'val', 'test' .got 'train'"),
        ({"protocol": "kind"}, "protocol must be one of 'strict', 'mmrec' .got 'kind'"),
        ({"ks": (10, 54)}, "k must not exceed the catalogue .got k=54, items=53"),
    ],
)
def test_bad_arguments(fixed, kwargs, match):
    with pytest.raises(ValueError, match=match):
        evaluate(fixed(torch.randn(37, 53)), random_data(), **kwargs)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_model_that_diverged_is_refused(fixed, value):
    score = torch.randn(37, 53)
    score[0, 1] = value
    with pytest.raises(ValueError, match="every score must be finite"):
        evaluate(fixed(score), random_data())


def test_an_empty_split(fixed):
    data = random_data()
    data["user", "interacts", "item"].val_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    with pytest.raises(ValueError, match="the val split is empty"):
        evaluate(fixed(torch.randn(37, 53)), data, "val")


def test_a_sample_of_the_users_is_ranked_as_if_there_were_no_others(checkerboard):
    model = LightGCN.from_data(checkerboard, embedding_dim=8)
    edges = checkerboard[USER_TO_ITEM]
    held_out = edges.val_edge_label_index
    users = held_out[0].unique()
    assert evaluate(model, checkerboard, max_users=users.numel()) == evaluate(model, checkerboard)
    few = some_of(users, 7)
    found = evaluate(model, checkerboard, max_users=7)
    edges.val_edge_label_index = held_out[:, torch.isin(held_out[0], few)]
    assert evaluate(model, checkerboard) == found
