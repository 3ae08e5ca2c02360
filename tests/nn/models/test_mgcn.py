import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import MGCN

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])
MODALITIES = ("textual", "visual")


def build(data, **kwargs):
    torch.manual_seed(0)
    return MGCN.from_data(data, **{"embedding_dim": 6, "k": 3} | kwargs)


@pytest.fixture
def data(checkerboard):
    """In float64; item 6 has no text, item 10 nothing, item 8 no user and user 3 no item."""
    data = copy.copy(checkerboard)
    for m in MODALITIES:
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
        data["item"][f"{m}_mask"][10] = False
        data["item"][f"x_{m}"][10] = 1e6
    data["item"].textual_mask[6] = False
    data["item"].x_textual[6] = 1e6
    store = data["user", "interacts", "item"]
    user, item = store.edge_index
    store.edge_index = store.edge_index[:, (user != 3) & (item != 8)]
    return data


def adjacency(data):
    r = torch.zeros(24, 40, dtype=torch.double)
    user, item = data["user", "interacts", "item"].edge_index
    r[user, item] = 1
    return r / (r.sum(1, keepdim=True) * r.sum(0)).clamp(min=1).sqrt()


def light_gcn(model, r, num_layers):
    users, items = [model.user_embedding.weight], [model.item_embedding.weight]
    for _ in range(num_layers):
        users, items = [*users, r @ items[-1]], [*items, r.T @ users[-1]]
    return torch.cat([torch.stack(users).mean(0), torch.stack(items).mean(0)])


def similar(data, modality, k):
    """The Laplacian of the nearest by cosine; items that lack the modality have none."""
    have = data["item"][f"{modality}_mask"].nonzero().view(-1)
    x = F.normalize(data["item"][f"x_{modality}"][have])
    cosine = x @ x.T
    near = cosine.topk(k).indices
    a = torch.zeros_like(cosine).scatter(1, near, cosine.gather(1, near))
    scale = a.sum(1).rsqrt()
    out = torch.zeros(40, 40, dtype=torch.double)
    out[have.view(-1, 1), have] = scale.view(-1, 1) * a * scale
    return out


def affine(layer, x):
    return x @ layer.weight.T + layer.bias


def fused(model, content, views):
    """The fusion of one user or item from the views that it has."""
    if not views:
        return torch.zeros_like(content)
    first, _, last = model.attention
    logits = [(affine(first, h).tanh() @ last.weight.T).squeeze() for h in views.values()]
    share = torch.stack(logits).softmax(0)
    common = sum(s * h for s, h in zip(share, views.values(), strict=True))
    total = common
    for m, h in views.items():
        rows = slice(6 * MODALITIES.index(m), 6 * MODALITIES.index(m) + 6)
        preference = model.preference.weight[rows] @ content + model.preference.bias[rows]
        total = total + preference.sigmoid() * (h - common)
    return total / (len(views) + 1)


def dense(model, data, *, num_layers=2, num_item_layers=1, k=3):
    """LightGCN's embeddings of users and items together, and what is fused from their views."""
    r = adjacency(data)
    content = light_gcn(model, r, num_layers)
    view = {}
    for m in MODALITIES:
        x = data["item"][f"x_{m}"].masked_fill(~data["item"][f"{m}_mask"].view(-1, 1), 0)
        gate = affine(model.gate[m][1], affine(model.gate[m][0], x)).sigmoid()
        s = torch.linalg.matrix_power(similar(data, m, k), num_item_layers)
        h = s @ (model.item_embedding.weight * gate)
        view[m] = torch.cat([r @ h, h])
    sides = []
    for n in range(64):
        items = (r[n] > 0).nonzero().view(-1) if n < 24 else torch.tensor([n - 24])
        known = [m for m in MODALITIES if data["item"][f"{m}_mask"][items].any()]
        sides.append(fused(model, content[n], {m: view[m][n] for m in known}))
    return content, torch.stack(sides)


@pytest.mark.parametrize("options", [{}, {"num_layers": 0, "num_item_layers": 2, "k": 5}])
def test_scores_equal_the_dense_equations(data, options):
    model = build(data, **options).double()
    content, side = dense(model, data, **options)
    found = torch.cat(model(data))
    torch.testing.assert_close(found, content + side, rtol=1e-5, atol=1e-7)  # float32 graph
    assert (side[[3, 24 + 10]] == 0).all()
    assert (side[[24 + 6, 24 + 8]] != 0).all()


def contrast(x, y, temperature):
    """Row by row, among the rows of the batch."""
    loss = 0
    for n in range(len(x)):
        cosines = torch.stack([torch.cosine_similarity(x[n], other, dim=0) for other in y])
        loss = loss - (cosines / temperature).log_softmax(0)[n] / len(x)
    return loss


def test_loss_by_hand_and_its_gradients(data):
    model = build(data, beta=0.3, temperature=0.5, l2=0.7).double()
    terms = model.loss(data, USER, POS, NEG)
    content, side = dense(model, data)
    z = content + side
    u, i, j = z[USER], z[24 + POS], z[24 + NEG]
    margin = (u * i).sum(1) - (u * j).sum(1)
    contrastive = contrast(side[USER], content[USER], 0.5)
    contrastive = contrastive + contrast(side[24 + POS], content[24 + POS], 0.5)
    expected = {
        "bpr": -margin.sigmoid().log().mean(),
        "contrastive": 0.3 * contrastive,
        "l2": 0.7 * sum(x.square().sum() for x in (u, i, j)) / 6,
    }
    assert terms.keys() == expected.keys()
    for name, wanted in expected.items():
        torch.testing.assert_close(terms[name], wanted, rtol=1e-5, atol=1e-7, msg=name)
    found, grads = (
        torch.autograd.grad(sum(x.values()), list(model.parameters())) for x in (terms, expected)
    )
    for (name, _), a, b in zip(model.named_parameters(), found, grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)


def test_without_a_weight_nothing_is_contrasted(checkerboard):
    terms = build(checkerboard, beta=0.0).loss(checkerboard, USER, POS, NEG)
    assert terms.keys() == {"bpr", "l2"}


def test_of_one_modality_half_of_its_view_is_added(checkerboard):
    del checkerboard["item"].x_visual, checkerboard["item"].visual_mask
    model = build(checkerboard)
    users, items = model.views(checkerboard)
    for z, side in zip(model(checkerboard), (users, items), strict=True):
        torch.testing.assert_close(z, side.content + side.views[:, 0] / 2)


def test_trained_features_learn_and_the_graphs_stay(checkerboard):
    model = build(checkerboard, trainable_features=True)
    assert torch.equal(model.features.x["visual"], checkerboard["item"].x_visual)
    graph = model.item_graphs["visual"](checkerboard)
    sum(model.loss(checkerboard, USER, POS, NEG).values()).backward()
    assert model.features.x["visual"].grad.abs().sum() > 0
    with torch.no_grad():
        model.features.x["visual"].zero_()
    assert model.item_graphs["visual"](checkerboard) is graph


def test_presets(checkerboard):
    for name in ("baby", "sports", "clothing"):
        settings = MGCN.preset(name).model
        assert settings == {"k": 10, "beta": 0.01, "l2": 1e-4, "trainable_features": True}
        assert build(checkerboard, **settings).features.trainable


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "MGCN(24, 40, 6, num_layers=2, num_item_layers=1, "
        "features=ItemFeatures({'textual': 5, 'visual': 12}, trainable=False))"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match=r"num_item_layers must be at least 1 \(got 0\)"):
        build(checkerboard, num_item_layers=0)
    with pytest.raises(ValueError, match="number of items .*k=40, items=40"):
        build(checkerboard, k=40)(checkerboard)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        MGCN.from_data(data)
