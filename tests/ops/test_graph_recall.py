import importlib

import pytest
import torch

from crane_pyg.ops import csr_graph, graph_recall


def one_by_one(s, taken, k):
    """The definition, item by item; ``s[i, j]`` is how much ``j`` speaks for ``i``."""
    recalls = []
    for mine in taken:
        items = mine.nonzero().view(-1).tolist()
        if len(items) < 2:
            continue
        hits = 0
        for i in items:
            score = s[:, [j for j in items if j != i]].sum(1)
            rivals = [float(s[n, items].sum()) for n in range(len(s)) if not mine[n]]
            hits += sum(rival >= float(score[i]) for rival in rivals) < k
        recalls.append(hits / len(items))
    return sum(recalls) / len(recalls)


def graphs(s, taken):
    item, neighbor = s.nonzero().T
    similar = csr_graph(torch.stack([neighbor, item]), s[item, neighbor], size=(len(s), len(s)))
    user, item = taken.nonzero().T
    return similar, csr_graph(torch.stack([item, user]), size=taken.shape[::-1])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_recall_equals_its_definition(k):
    torch.manual_seed(k)
    s = torch.rand(20, 20) * (torch.rand(20, 20) < 0.3) * (1 - torch.eye(20))
    taken = torch.rand(15, 20) < 0.2
    wanted = one_by_one(s, taken, k)
    assert 0 < wanted < 1
    assert graph_recall(*graphs(s, taken), k=k).mean == pytest.approx(wanted)


@pytest.mark.parametrize("k", [1, 4, 9, 12, 30])
@pytest.mark.parametrize("share", [0.1, 0.4, 1])
def test_items_that_nothing_links_score_zero(k, share):
    """Weights of both signs: the k-th rival may be one that is linked to nothing, or lie below."""
    torch.manual_seed(k)
    s = (torch.rand(12, 12) - 0.6) * (torch.rand(12, 12) < share) * (1 - torch.eye(12))
    taken = torch.rand(60, 12) < 0.3
    assert graph_recall(*graphs(s, taken), k=k).mean == pytest.approx(one_by_one(s, taken, k))


def test_the_error_is_that_of_a_mean_over_users():
    """Two users recall all of their items, two none."""
    s = torch.zeros(8, 8)
    s[0, 1] = s[1, 0] = s[2, 3] = s[3, 2] = 1
    taken = torch.tensor([[0, 1], [2, 3], [4, 5], [6, 7]]).unsqueeze(2) == torch.arange(8)
    assert graph_recall(*graphs(s, taken.any(1)), k=1) == (0.5, 0.25)


def test_blocks_of_users_add_up(monkeypatch):
    torch.manual_seed(0)
    s = torch.rand(20, 20) * (torch.rand(20, 20) < 0.3) * (1 - torch.eye(20))
    parts = graphs(s, torch.rand(50, 20) < 0.2)
    whole = graph_recall(*parts, k=2).mean
    monkeypatch.setattr(importlib.import_module("crane_pyg.ops.graph_recall"), "_BLOCK", 7)
    assert graph_recall(*parts, k=2).mean == pytest.approx(whole)
    some = graph_recall(*parts, k=2, max_users=10)
    assert some.mean != pytest.approx(whole)
    assert some == graph_recall(*parts, k=2, max_users=10)


def test_items_of_one_kind_recall_each_other():
    """Even users take even items, all but one; the graph links items of the same parity."""
    parity = torch.arange(12) % 2
    s = (parity.view(-1, 1) == parity).float() - torch.eye(12)
    taken = parity[:4].view(-1, 1) == parity
    taken[torch.arange(4), torch.arange(4)] = False
    assert graph_recall(*graphs(s, taken), k=2) == (1, 0)
    assert graph_recall(*graphs(s[:, torch.randperm(12)] * 0, taken), k=2) == (0, 0)


def test_users_of_one_item_say_nothing():
    assert graph_recall(*graphs(torch.ones(4, 4), torch.eye(4).bool())) == (0, 0)
