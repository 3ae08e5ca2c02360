import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import UltraGCN
from crane_pyg.nn.models import ultragcn as module

EDGES = torch.tensor([[0, 0, 0, 1, 1, 2, 2, 2, 3], [0, 1, 5, 2, 5, 3, 5, 1, 5]])
BATCH = torch.tensor([0, 2, 2, 3]), torch.tensor([5, 1, 3, 5]), torch.tensor([2, 0, 2, 6])


def tiny(**kwargs):
    """Five users, of whom the last took nothing, and seven items, of which two nobody took."""
    data = build_hetero_data(
        EDGES, torch.zeros(9, dtype=torch.long), num_users=5, num_items=7, features={}
    )
    settings = {"embedding_dim": 4, "k": 2, "std": 0.5} | kwargs
    return data, UltraGCN.from_data(data, **settings).double()


def interactions():
    x = torch.zeros(5, 7, dtype=torch.double)
    x[EDGES[0], EDGES[1]] = 1
    return x


def pair_weight(x, u, i):
    d_u, d_i = x[u].sum(), x[:, i].sum()
    return ((d_u + 1) / (d_i + 1)).sqrt() / d_u


def near(x, i, k):
    """The k items of the largest weights to an item, and the weights."""
    shared = x.T @ x
    g = shared.sum(1)
    omega = [(shared[i, j] / g[i] * ((g[i] + 1) / (g[j] + 1)).sqrt()).item() for j in range(7)]
    best = sorted(range(7), key=lambda j: -omega[j])[:k]
    return best, [omega[j] for j in best]


def test_repr():
    _, model = tiny()
    assert repr(model) == "UltraGCN(5, 7, 4, k=2)"


@pytest.mark.parametrize("weigh", [True, False])
def test_loss_by_hand(weigh):
    settings = {"item_weight": 0.7, "negative_weight": 3.0, "l2": 0.2, "weigh_negatives": weigh}
    data, model = tiny(**settings)
    x, e_user, e_item = interactions(), model.user_embedding.weight, model.item_embedding.weight
    pair, item = 0, 0
    drawn = sorted(set(BATCH[2].tolist()))
    for u, i in zip(*BATCH[:2], strict=True):
        pair = pair - pair_weight(x, u, i) * torch.sigmoid(e_user[u] @ e_item[i]).log()
        for j in drawn:
            weight = pair_weight(x, u, j) if weigh else 1
            no = torch.sigmoid(-(e_user[u] @ e_item[j])).log()
            pair = pair - 3.0 / len(drawn) * weight * no
        for j, omega in zip(*near(x, int(i), 2), strict=True):
            item = item - 0.7 * omega * torch.sigmoid(e_user[u] @ e_item[j]).log()
    l2 = 0.2 * (e_user.square().sum() + e_item.square().sum()) / 2

    terms = model.loss(data, *BATCH)
    assert list(terms) == ["pair", "item", "l2"]
    for name, expected in {"pair": pair, "item": item, "l2": l2}.items():
        torch.testing.assert_close(terms[name], expected, rtol=1e-6, atol=1e-6, msg=name)
    grads = torch.autograd.grad(sum(terms.values()), model.parameters())
    expected = torch.autograd.grad(pair + item + l2, model.parameters())
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-6, atol=1e-6)


def test_neighbours_in_blocks_of_items(monkeypatch):
    data, model = tiny()
    whole = model.constraints(data)
    monkeypatch.setattr(module, "_BLOCK", 2 * 7)
    for a, b in zip(whole, tiny()[1].constraints(data), strict=True):
        assert torch.equal(a, b)


def test_fewer_items_than_neighbours():
    data, model = tiny(k=50)
    assert model.constraints(data).neighbour.shape == (7, 7)
    assert all(term.isfinite() for term in model.loss(data, *BATCH).values())


def test_it_starts_small():
    model = UltraGCN(500, 400, 16, std=0.01)
    assert model.user_embedding.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert model.item_embedding.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_the_authors_settings():
    for name in UltraGCN.presets:
        UltraGCN(5, 7, **UltraGCN.preset(name).model)
