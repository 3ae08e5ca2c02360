import math

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.ops import csr_graph, feature_agreement


def pairwise(x, user, item, mask):
    """The definition, pair by pair."""
    x = F.normalize(x, dim=1)
    edges = [(u, i) for u, i in zip(user.tolist(), item.tolist()) if mask[i]]
    same = []
    for u, i in edges:
        others = [float(x[i] @ x[j]) for v, j in edges if v == u and j != i]
        if others:
            same.append(sum(others) / len(others))
    drawn = torch.stack([x[i] @ x[j] for _, i in edges for _, j in edges if i != j])
    return sum(same) / len(same), float(drawn.mean()), float(drawn.var(correction=0))


@pytest.mark.parametrize("lacking", [[], [2, 5]])
def test_agreement_equals_its_definition(lacking):
    torch.manual_seed(0)
    user, item = (torch.rand(6, 8) < 0.4).nonzero().T
    x, mask = torch.randn(8, 3, dtype=torch.double), torch.ones(8, dtype=torch.bool)
    mask[lacking] = False
    graph = csr_graph(torch.stack([item, user]), size=(8, 6))
    found = feature_agreement(x, graph, mask if lacking else None)
    assert found[:3] == pytest.approx(pairwise(x, user, item, mask), rel=1e-6)
    assert found.evidence == max(0, found.same - found.chance) / found.variance


def test_features_that_users_follow_have_evidence_and_others_have_none():
    """Even users take even items; the first feature tells these apart, the second says nothing."""
    user, item = torch.cartesian_prod(torch.arange(4), torch.arange(8)).T
    user, item = user[user % 2 == item % 2], item[user % 2 == item % 2]
    graph = csr_graph(torch.stack([item, user]), size=(8, 4))
    parity = F.one_hot(torch.arange(8) % 2).float()
    assert feature_agreement(parity, graph).same == pytest.approx(1)
    assert feature_agreement(parity, graph).chance == pytest.approx(3 / 7)
    assert feature_agreement(parity, graph).evidence == pytest.approx((4 / 7) / (3 / 7 * 4 / 7))
    assert feature_agreement(torch.eye(8), graph).evidence == 0  # everything is unlike all else
    assert feature_agreement(torch.ones(8, 2), graph).evidence == 0  # nothing varies


def test_without_pairs_there_is_no_evidence():
    graph = csr_graph(torch.tensor([[0, 1], [0, 1]]), size=(3, 2))
    found = feature_agreement(torch.eye(3), graph)
    assert found.evidence == 0
    assert all(math.isfinite(value) for value in found)
    nothing = feature_agreement(torch.eye(3), graph, torch.zeros(3, dtype=torch.bool))
    assert nothing == (0, 0, 0)


def test_rows_must_be_items():
    graph = csr_graph(torch.tensor([[0], [0]]), size=(3, 2))
    with pytest.raises(ValueError, match=r"x must be \[3, d\] \(got \[4, "):
        feature_agreement(torch.eye(4), graph)


def test_users_of_one_item_do_not_count():
    """Not by rounding either: the length of a row in float32 is one give or take an ulp."""
    torch.manual_seed(0)
    item = torch.cat([torch.tensor([0, 1]), torch.arange(100)])
    user = torch.cat([torch.tensor([0, 0]), torch.arange(1, 101)])
    x = torch.randn(100, 7)
    found = feature_agreement(x, csr_graph(torch.stack([item, user]), size=(100, 101)))
    assert found.same == pytest.approx(float(F.cosine_similarity(x[0], x[1], dim=0)), rel=1e-5)
