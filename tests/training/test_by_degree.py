from itertools import pairwise

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.training import evaluate, evaluate_by_degree
from crane_pyg.training.by_degree import degree_groups

EDGE = ("user", "interacts", "item")


def random_data(num_users=41, num_items=53, num_pairs=700):
    """Users and items whose degrees grow with their numbers."""
    weight = torch.arange(1, num_users + 1).outer(torch.arange(1, num_items + 1)).float()
    key = torch.multinomial(weight.flatten(), num_pairs)
    edge_index = torch.stack([key // num_items, key % num_items])
    label = torch.randint(3, (num_pairs,))
    return build_hetero_data(edge_index, label, num_users=num_users, num_items=num_items)


def found_pairs(score, data, split, k):
    """Of each held-out pair, whether its item is among the k best that are not left out."""
    store = data[EDGE]
    hidden = store.edge_index.T.tolist()
    if split == "test":
        hidden += store.val_edge_label_index.T.tolist()
    for user, item in store[f"{split}_edge_label_index"].T.tolist():
        banned = {i for u, i in hidden if u == user}
        ranking = sorted(range(score.size(1)), key=lambda i: -score[user, i])
        yield user, item, item in [i for i in ranking if i not in banned][:k]


def test_groups_hold_equal_degrees_together():
    assert degree_groups(torch.tensor([3, 1, 2, 4]), 2).tolist() == [1, 0, 0, 1]
    assert degree_groups(torch.tensor([7, 7, 7, 0]), 4).tolist() == [1, 1, 1, 0]
    assert degree_groups(torch.tensor([5, 5]), 3).tolist() == [0, 0]
    degree = torch.randint(1000, (997,)).mul(1000) + torch.arange(997)  # all different
    count = degree_groups(degree, 10).bincount().tolist()
    assert (len(count), set(count)) == (10, {99, 100})


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("batch_size", [7, 1000])
def test_by_the_users_degree(fixed, split, batch_size):
    data, score = random_data(), torch.randn(41, 53)
    rows = evaluate_by_degree(
        fixed(score), data, split, by="user", bins=4, ks=(3, 10), batch_size=batch_size
    )
    degree = data[EDGE].edge_index[0].bincount(minlength=41).tolist()
    per_user = {}
    for user, _, found in found_pairs(score, data, split, 10):
        per_user.setdefault(user, []).append(found)
    assert 2 < len(rows) <= 4
    for row in rows:
        own = [u for u in per_user if row["min_degree"] <= degree[u] <= row["max_degree"]]
        assert row["users"] == len(own)
        recall = sum(sum(per_user[u]) / len(per_user[u]) for u in own) / len(own)
        assert row["Recall@10"] == pytest.approx(recall, rel=1e-5)
    assert all(low["max_degree"] < high["min_degree"] for low, high in pairwise(rows))
    whole = evaluate(fixed(score), data, split, ks=(3, 10))
    for name, value in whole.items():
        mean = sum(row[name] * row["users"] for row in rows) / len(per_user)
        assert mean == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("split", ["val", "test"])
def test_by_the_items_degree(fixed, split):
    data, score = random_data(), torch.randn(41, 53)
    rows = evaluate_by_degree(fixed(score), data, split, by="item", bins=3, ks=(3, 10))
    degree = data[EDGE].edge_index[1].bincount(minlength=53).tolist()
    assert len(rows) == 3
    for k in (3, 10):
        pairs = list(found_pairs(score, data, split, k))
        assert sum(row["pairs"] for row in rows) == len(pairs)
        for row in rows:
            own = [
                found
                for _, item, found in pairs
                if row["min_degree"] <= degree[item] <= row["max_degree"]
            ]
            assert row["pairs"] == len(own)
            assert row[f"Recall@{k}"] == pytest.approx(sum(own) / len(own))


def test_cold_items_are_one_group(fixed):
    pairs, label = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 2]]), torch.tensor([0, 1, 0, 1])
    data = build_hetero_data(pairs, label, num_users=2, num_items=4)
    model = fixed(torch.tensor([4.0, 3.0, 2.0, 1.0]).repeat(2, 1))
    (row,) = evaluate_by_degree(model, data, by="item", ks=(1,))
    assert row == {"min_degree": 0, "max_degree": 0, "pairs": 2, "Recall@1": 0.5}


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"by": "age"}, "by must be one of 'user', 'item' .got 'age'"),
        ({"bins": 0}, "bins must be at least 1 .got 0"),
        ({"ks": ()}, "there must be a cut-off"),
        ({"split": "train"}, "split must be one of"),
        ({"ks": (54,)}, "k must not exceed the catalogue"),
    ],
)
def test_bad_arguments(fixed, kwargs, match):
    with pytest.raises(ValueError, match=match):
        evaluate_by_degree(fixed(torch.randn(41, 53)), random_data(), **kwargs)
