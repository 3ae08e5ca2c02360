import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.graphs import frozen, latent
from crane_pyg.nn.models import LATTICE
from tests.nn.models.small_data import as_double, batch


def build(data, **kwargs):
    torch.manual_seed(0)
    return LATTICE.from_data(data, **{"embedding_dim": 6, "feature_dim": 4, "k": 3} | kwargs)


def nearest(x):
    x = F.normalize(x, dim=1)
    value, index = (x @ x.T).topk(3)
    return torch.zeros(len(x), len(x), dtype=x.dtype).scatter(1, index, value)


def laplacian(a):
    scale = a.sum(1).rsqrt()
    return scale.view(-1, 1) * a * scale


def dense_propagation(model, data):
    """LightGCN with self-loops, on one adjacency of users and items together."""
    a = torch.eye(64, dtype=torch.double)
    user, item = data["user", "interacts", "item"].edge_index
    a[user, item + 24] = 1
    a[item + 24, user] = 1
    a = a / a.sum(1, keepdim=True)
    weights = dict(model.named_parameters())
    e = torch.cat([weights["user_embedding.weight"], weights["item_embedding.weight"]])
    return (e + a @ e + a @ a @ e) / 3


def dense(model, data, *, skip=0.9, num_item_layers=1):
    """The equations with dense matrices; all features are present."""
    z, weights = dense_propagation(model, data), dict(model.named_parameters())
    share = weights["item_graph.graph.modality_logit"].softmax(0)
    raw = learned = 0
    for alpha, m in zip(share, ("textual", "visual"), strict=True):
        x = data["item"][f"x_{m}"]
        raw = raw + alpha * laplacian(nearest(x))
        lin = f"item_graph.graph.lin.{m}"
        projected = x @ weights[f"{lin}.weight"].T + weights[f"{lin}.bias"]
        learned = learned + alpha * nearest(projected)
    s = skip * raw + (1 - skip) * laplacian(learned)
    h = torch.linalg.matrix_power(s, num_item_layers) @ weights["item_embedding.weight"]
    return z[:24], z[24:] + h / h.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("options", [{}, {"skip": 0.3}, {"num_item_layers": 2}])
def test_scores_and_gradients_equal_the_dense_equations(checkerboard, options):
    data = as_double(checkerboard)
    model = build(data, **options).double()
    torch.nn.init.normal_(model.item_graph.graph.modality_logit)
    model.start_epoch(data)
    found, expected = model(data), dense(model, data, **options)
    probe = [torch.randn_like(x) for x in found]
    named = dict(model.named_parameters())
    grads = []
    for embeddings in (found, expected):
        total = sum((x * p).sum() for x, p in zip(embeddings, probe, strict=True))
        grads.append(torch.autograd.grad(total, list(named.values())))
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y)
    for name, x, y in zip(named, *grads, strict=True):
        torch.testing.assert_close(x, y, msg=name)


def test_loss_by_hand(checkerboard):
    model = build(checkerboard, l2=0.5).eval()
    user, pos, neg = batch(checkerboard)
    terms = model.loss(checkerboard, user, pos, neg)
    z_user, z_item = model(checkerboard)
    u, i, j = z_user[user], z_item[pos], z_item[neg]
    margin = (u * i).sum(1) - (u * j).sum(1)
    torch.testing.assert_close(terms["bpr"], -margin.sigmoid().log().mean())
    norms = u.square().sum(1) + i.square().sum(1) + j.square().sum(1)
    torch.testing.assert_close(terms["l2"], 0.5 * norms.mean() / 2)


@pytest.mark.parametrize("trainable", [False, True])
def test_the_projection_learns_in_the_first_batch_of_an_epoch(checkerboard, trainable):
    model = build(checkerboard, trainable_features=trainable)
    learned = []
    for _ in range(2):
        model.start_epoch(checkerboard)
        for _ in range(2):
            model.zero_grad()
            model.loss(checkerboard, *batch(checkerboard))["bpr"].backward()
            slow = list(model.item_graph.parameters())
            learned.append([p.grad is not None for p in slow])
    assert [all(x) for x in learned] == [True, False, True, False]
    assert not any(learned[1])


def test_evaluation_takes_the_weights_as_they_are(checkerboard, monkeypatch):
    model = build(checkerboard)
    model.start_epoch(checkerboard)
    before = model(checkerboard)[1]
    with torch.no_grad():
        model.item_graph.graph.lin["visual"].weight.normal_()
    assert torch.equal(model(checkerboard)[1], before)  # the graph of this epoch
    evaluated = model.eval()(checkerboard)[1]
    assert not torch.equal(evaluated, before)
    model.train().start_epoch(checkerboard)
    assert torch.equal(model(checkerboard)[1], evaluated)


def test_the_raw_features_are_searched_once(checkerboard, monkeypatch):
    searched = []

    def count(name, original):
        return lambda x, *args, **kwargs: (
            searched.append((name, x.size(1))),
            original(x, *args, **kwargs),
        )[1]

    for place in (frozen, latent):
        monkeypatch.setattr(place, "knn_graph", count(place.__name__[-6:], place.knn_graph))
    model = build(checkerboard)
    for _ in range(3):
        model.start_epoch(checkerboard)
        for _ in range(2):
            model.loss(checkerboard, *batch(checkerboard))
    assert searched.count(("frozen", 12)) == searched.count(("frozen", 5)) == 1
    assert len(searched) == 2 + 3 * 2


def test_other_features_are_noticed(checkerboard):
    model = build(checkerboard).eval()
    before = model(checkerboard)[1]
    other = copy.copy(checkerboard)
    other["item"].x_visual = torch.randn(40, 12)
    assert not torch.equal(model(other)[1], before)
    assert torch.equal(model(checkerboard)[1], before)


def test_an_item_without_any_modality_keeps_its_collaborative_embedding(checkerboard):
    data = as_double(checkerboard)
    for m in ("visual", "textual"):
        data["item"][f"{m}_mask"][5] = False
        data["item"][f"x_{m}"][5] = 1e6
    data["item"].visual_mask[6] = False
    model = build(data).double()
    model.start_epoch(data)
    item, apart = model(data)[1], dense_propagation(model, data)
    collaborative = apart[24:]
    torch.testing.assert_close(item[5], collaborative[5])
    torch.testing.assert_close((item - collaborative)[6].norm().item(), 1.0)
    model.start_epoch(data)
    sum(model.loss(data, *batch(data)).values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_presets(checkerboard):
    for name in ("baby", "sports", "clothing"):
        preset = LATTICE.preset(name)
        assert build(checkerboard, **preset.model | {"k": 3}).item_graph.graph.skip == 0.9
        assert preset.fit["lr"] == 5e-4


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "LATTICE(24, 40, 6, num_layers=2, num_item_layers=1, "
        "item_graph=RefreshedItemGraph(LatentItemGraph("
        "{'textual': 5, 'visual': 12}, k=3, skip=0.9), refresh='epoch'))"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match="number of items .*k=40, items=40"):
        build(checkerboard, k=40)(checkerboard)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        LATTICE.from_data(data)
