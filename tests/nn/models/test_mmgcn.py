import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import MMGCN

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])


def build(data, **kwargs):
    torch.manual_seed(0)
    return MMGCN.from_data(data, **{"embedding_dim": 4, "latent_dim": 6} | kwargs)


@pytest.fixture
def data(checkerboard):
    """In float64; item 6 has no text, item 8 no user and user 3 no item."""
    data = copy.copy(checkerboard)
    for m in ("textual", "visual"):
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    data["item"].textual_mask[6] = False
    data["item"].x_textual[6] = 1e6
    store = data["user", "interacts", "item"]
    user, item = store.edge_index
    store.edge_index = store.edge_index[:, (user != 3) & (item != 8)]
    return data


def dense(model, data, num_layers):
    """The layers on one homogeneous graph, users first, with a dense matrix of means."""
    num_users, num_items = 24, 40
    user, item = data["user", "interacts", "item"].edge_index
    a = torch.zeros(num_users + num_items, num_users + num_items, dtype=torch.double)
    a[user, num_users + item] = 1
    a = a + a.T
    mean = a / a.sum(1, keepdim=True).clamp(min=1)
    state = model.state_dict()
    total = 0
    for m in ("textual", "visual"):
        w = {k.removeprefix(f"gcn.{m}."): v for k, v in state.items() if f".{m}." in k}
        x = data["item"][f"x_{m}"]
        if m == "visual":
            x = x @ w["lin_in.weight"].T + w["lin_in.bias"]
        x = F.normalize(torch.cat([w["preference"], x]))
        x[num_users:] *= data["item"][f"{m}_mask"].view(-1, 1)
        for k in range(num_layers):
            h = F.leaky_relu(mean @ x @ w[f"lin_conv.{k}.weight"].T)
            x_hat = F.leaky_relu(x @ w[f"lin_self.{k}.weight"].T + w[f"lin_self.{k}.bias"])
            x_hat = x_hat + state["embedding.weight"]
            mixed = torch.cat([h, x_hat], 1) @ w[f"lin_out.{k}.weight"].T
            x = F.leaky_relu(mixed + w[f"lin_out.{k}.bias"])
        total = total + x / 2
    return total[:num_users], total[num_users:]


def test_repr(checkerboard):
    model = build(checkerboard)
    assert repr(model) == "MMGCN(24, 40, {'textual': 5, 'visual': 12}, 4, num_layers=3)"


@pytest.mark.parametrize("num_layers", [1, 3])
def test_scores_equal_the_dense_layers(data, num_layers):
    model = build(data, num_layers=num_layers).double()
    expected = dense(model, data, num_layers)
    for found, wanted in zip(model(data), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)  # float32 graph weights


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_loss_by_hand(data, train_embeddings):
    model = build(data, train_embeddings=train_embeddings, l2=0.3).double()
    terms = model.loss(data, USER, POS, NEG)
    user, item = model(data)
    e_user, e_item = model.embedding.weight[:24], model.embedding.weight[24:]
    bpr = squares = 0
    for u, i, j in zip(USER, POS, NEG, strict=True):
        bpr = bpr - torch.log(torch.sigmoid(user[u] @ item[i] - user[u] @ item[j])) / 3
        for v in (i, j):
            squares = squares + (e_user[u].square() + e_item[v].square()).sum() / (3 * 2 * 4)
    torch.testing.assert_close(terms["bpr"], bpr)
    for m in ("textual", "visual"):
        squares = squares + model.gcn[m].preference.square().mean()
    if train_embeddings:
        torch.testing.assert_close(terms["l2"], 0.3 * squares)
    else:
        assert set(terms) == {"bpr"}


def test_what_learns(checkerboard):
    fixed = {n for n, p in build(checkerboard).named_parameters() if not p.requires_grad}
    assert fixed == {"embedding.weight", "gcn.textual.preference", "gcn.visual.preference"}
    model = build(checkerboard, train_embeddings=True)
    terms = model.loss(checkerboard, USER, POS, NEG)
    terms["bpr"].backward()
    assert all((p.grad != 0).any() for p in model.parameters())


def test_a_batch_has_the_gradient_of_the_whole(data):
    model = build(data, train_embeddings=True, l2=0).double()
    grads = torch.autograd.grad(model.loss(data, USER, POS, NEG)["bpr"], model.parameters())
    user, item = model(data)
    margin = (user[USER] * (item[POS] - item[NEG])).sum(1)
    expected = torch.autograd.grad(-margin.sigmoid().log().mean(), model.parameters())
    for (name, _), a, b in zip(model.named_parameters(), grads, expected, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")


def test_projected_modalities(checkerboard):
    model = build(checkerboard, projected=("textual", "acoustic"))
    assert [gcn.preference.size(1) for gcn in model.gcn.values()] == [6, 12]
    assert model.gcn["visual"].lin_in is None


def test_presets_are_the_authors(checkerboard):
    tiktok = MMGCN.preset("tiktok")
    assert (tiktok.model["l2"], tiktok.fit["lr"], tiktok.fit["batch_size"]) == (0.1, 5e-4, 1024)
    assert MMGCN.preset("movielens").fit["lr"] == 1e-4


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match="num_layers must be at least 1 .*got 0"):
        build(checkerboard, num_layers=0)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        MMGCN.from_data(data)
