import copy

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import BM3

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])


def build(data, **kwargs):
    torch.manual_seed(0)
    return BM3.from_data(data, **{"embedding_dim": 6} | kwargs)


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
    """LightGCN with one matrix of users and items, and the items' residual."""
    user, item = data["user", "interacts", "item"].edge_index
    a = torch.zeros(64, 64, dtype=torch.double)
    a[user, 24 + item] = 1
    a = a + a.T
    scale = a.sum(1).clamp(min=1).rsqrt()
    laplacian = scale.view(-1, 1) * a * scale
    state = dict(model.named_parameters())
    e = torch.cat([state["user_embedding.weight"], state["item_embedding.weight"]])
    powers = [torch.linalg.matrix_power(laplacian, layer) @ e for layer in range(num_layers + 1)]
    mean = torch.stack(powers).mean(0)
    return mean[:24], mean[24:] + e[24:]


def predict(model, x):
    return x @ model.predictor.weight.T + model.predictor.bias


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_scores_equal_the_dense_equations(data, num_layers):
    model = build(data, num_layers=num_layers).double()
    user, item = model(data)
    e_user, e_item = dense(model, data, num_layers)
    expected = predict(model, e_user) @ predict(model, e_item).T
    torch.testing.assert_close(model.scores(user, item), expected, rtol=1e-5, atol=1e-7)


def distance(model, x, target):
    predicted, target = predict(model, x), target.detach()
    return 1 - (predicted @ target) / (predicted.norm() * target.norm())


@pytest.mark.parametrize("trainable", [False, True])
def test_loss_by_hand_and_its_gradients(data, trainable):
    options = {"feature_weight": 0.7, "l2": 0.3, "trainable_features": trainable}
    model = build(data, **options).double().eval()
    terms = model.loss(data, USER, POS, NEG)
    e_user, e_item = dense(model, data, 1)
    reconstruction = modality = 0
    for u, i in zip(USER, POS, strict=True):
        reconstruction = reconstruction + distance(model, e_user[u], e_item[i]) / 3
        reconstruction = reconstruction + distance(model, e_item[i], e_user[u]) / 3
        for m in ("textual", "visual"):
            if data["item"][f"{m}_mask"][i]:
                x = model.features.x[m] if trainable else data["item"][f"x_{m}"]
                x = x[i] @ model.lin[m].weight.T + model.lin[m].bias
                aligned = distance(model, x, e_item[i]) + distance(model, x, x)
                modality = modality + 0.7 * aligned / 3
    norm = 0.3 * (e_user.square().sum().sqrt() + e_item.square().sum().sqrt()) / 40
    expected = {"reconstruction": reconstruction, "modality": modality, "norm": norm}
    assert terms.keys() == expected.keys()
    parameters = list(model.parameters())
    for name, wanted in expected.items():
        torch.testing.assert_close(terms[name], wanted, rtol=1e-6, atol=1e-7, msg=name)
        options = {"allow_unused": True, "retain_graph": True}
        found, grad = (torch.autograd.grad(x, parameters, **options) for x in (terms[name], wanted))
        for (parameter, _), a, b in zip(model.named_parameters(), found, grad, strict=True):
            assert (a is None) == (b is None), parameter
            if a is not None:
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=parameter)


def test_without_features_the_rest_stays(data):
    terms = build(data, feature_weight=0.0).double().loss(data, USER, POS, NEG)
    assert terms.keys() == {"reconstruction", "norm"}


def test_the_drawn_negatives_do_not_matter(data):
    model = build(data).double().eval()
    first, second = (model.loss(data, USER, POS, neg) for neg in (NEG, NEG + 7))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_targets_are_dropped_out_and_in_training_alone(checkerboard, monkeypatch):
    dropped = []

    def drop(x, p):
        dropped.append((x.requires_grad, p))
        return x

    monkeypatch.setattr("crane_pyg.nn.models.bm3.dropout", drop)
    model = build(checkerboard, dropout=0.3)
    model.loss(checkerboard, USER, POS, NEG)
    assert dropped == [(False, 0.3)] * 4  # users, items, and the features of two modalities
    dropped.clear()
    model.eval().loss(checkerboard, USER, POS, NEG)
    assert dropped == [(False, 0.0)] * 4


def test_trained_features_start_from_the_data_and_learn(checkerboard):
    model = build(checkerboard, trainable_features=True)
    assert torch.equal(model.features.x["visual"], checkerboard["item"].x_visual)
    sum(model.loss(checkerboard, USER, POS, NEG).values()).backward()
    moved = model.features.x["visual"].grad.abs().sum(1) > 0
    assert set(moved.nonzero().view(-1).tolist()) == set(POS.tolist())


def test_presets(checkerboard):
    table = {"baby": (1, 0.5, 0.1), "sports": (1, 0.5, 0.01), "electronics": (2, 0.3, 0.1)}
    for name, values in table.items():
        settings = BM3.preset(name).model
        assert tuple(settings[x] for x in ("num_layers", "dropout", "l2")) == values
        assert build(checkerboard, **settings).features.trainable


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "BM3(24, 40, 6, num_layers=1, dropout=0.5, "
        "features=ItemFeatures({'textual': 5, 'visual': 12}, trainable=False))"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match=r"dropout must be at least 0 and below 1 \(got 1.5\)"):
        build(checkerboard, dropout=1.5)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        BM3.from_data(data)
