import copy
import math

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import SMORE

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])
MODALITIES = ("textual", "visual")


def build(data, **kwargs):
    torch.manual_seed(0)
    return SMORE.from_data(data, **{"embedding_dim": 6, "k": 3, "visual_k": 5} | kwargs)


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


def waves(d):
    """``[d // 2 + 1, d]``: the unitary Fourier transform of real vectors, half of it."""
    angle = 2 * math.pi * torch.outer(torch.arange(d // 2 + 1), torch.arange(d)).double() / d
    return torch.polar(torch.full_like(angle, d**-0.5), -angle)


def inverse(spectrum, d):
    """What is real of the sum over all frequencies, of which the upper half mirrors the lower."""
    twice = torch.full((d // 2 + 1,), 2.0, dtype=torch.double)
    twice[0] = 1
    if d % 2 == 0:
        twice[-1] = 1
    return ((spectrum * twice) @ waves(d).conj()).real


def filtered(model, data, d):
    """Filtered features by view, item by item; zeros where an item lacks it."""
    weights = torch.complex(model.filter[..., 0], model.filter[..., 1])
    out = {v: torch.zeros(40, d, dtype=torch.double) for v in (*MODALITIES, "fused")}
    for i in range(40):
        product = torch.ones(d // 2 + 1, dtype=torch.cdouble)
        for n, m in enumerate(MODALITIES):
            if data["item"][f"{m}_mask"][i]:
                x = affine(model.lin[m], data["item"][f"x_{m}"][i])
                spectrum = waves(d) @ x.to(torch.cdouble)
                product = product * spectrum
                out[m][i] = inverse(spectrum * weights[n], d)
        if data["item"].textual_mask[i] or data["item"].visual_mask[i]:
            out["fused"][i] = inverse(product * weights[-1], d)
    return out


def fused(model, content, h, known, d):
    """The fusion of one user or item."""
    total = 0
    for n, v in enumerate((*MODALITIES, "fused")):
        rows = slice(d * n, d * n + d)
        preference = model.preference.weight[rows] @ content + model.preference.bias[rows]
        weight = torch.ones(d, dtype=torch.double)
        if v != "fused":
            first, _, last = model.attention[n]
            weight = (affine(first, h["fused"]).tanh() @ last.weight.T).softmax(0)
        total = total + preference.sigmoid() * weight * h[v]
    return total / (1 + known)


def dense(model, data, *, num_layers=3, num_item_layers=1, visual_k=5, embedding_dim=6):
    """LightGCN's embeddings of users and items together, and what is fused from their views."""
    r, d = adjacency(data), embedding_dim
    content = light_gcn(model, r, num_layers)
    graphs = {"textual": similar(data, "textual", 3), "visual": similar(data, "visual", visual_k)}
    graphs["fused"] = torch.maximum(graphs["textual"], graphs["visual"])
    view = {}
    for n, (v, x) in enumerate(filtered(model, data, d).items()):
        gate = affine(model.gate[n], x).sigmoid()
        s = torch.linalg.matrix_power(graphs[v], num_item_layers)
        h = s @ (model.item_embedding.weight * gate)
        view[v] = torch.cat([r @ h, h])
    sides = []
    for n in range(64):
        items = (r[n] > 0).nonzero().view(-1) if n < 24 else torch.tensor([n - 24])
        known = sum(bool(data["item"][f"{m}_mask"][items].any()) for m in MODALITIES)
        sides.append(fused(model, content[n], {v: h[n] for v, h in view.items()}, known, d))
    return content, torch.stack(sides)


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 0, "num_item_layers": 2, "visual_k": 3, "embedding_dim": 5}]
)
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


def test_preferences_are_dropped_out_in_training_alone(checkerboard):
    model = build(checkerboard, dropout=0.5)
    assert not torch.equal(model(checkerboard)[0], model(checkerboard)[0])
    model.eval()
    assert torch.equal(model(checkerboard)[0], model(checkerboard)[0])
    model.train().dropout = 1.0
    users, _ = model.views(checkerboard)
    assert torch.equal(model(checkerboard)[0], users.content)


def test_without_a_weight_nothing_is_contrasted(checkerboard):
    terms = build(checkerboard, beta=0.0).loss(checkerboard, USER, POS, NEG)
    assert terms.keys() == {"bpr", "l2"}


def test_neighbours_by_image_have_a_number_of_their_own(checkerboard):
    textual, visual = build(checkerboard).item_graph.graphs
    assert (textual.k, visual.k) == (3, 5)
    textual, visual = build(checkerboard, visual_k=None).item_graph.graphs
    assert (textual.k, visual.k) == (3, 3)
    edges = build(checkerboard).similar_items(checkerboard)
    assert edges.num_nodes == 40
    assert 5 * 40 <= edges.edge_index.size(1) < 8 * 40


def test_trained_features_learn_and_the_graphs_stay(checkerboard):
    model = build(checkerboard, trainable_features=True)
    assert torch.equal(model.features.x["visual"], checkerboard["item"].x_visual)
    graph = model.item_graph(checkerboard)
    sum(model.loss(checkerboard, USER, POS, NEG).values()).backward()
    assert model.features.x["visual"].grad.abs().sum() > 0
    with torch.no_grad():
        model.features.x["visual"].zero_()
    assert model.item_graph(checkerboard) is graph


def test_presets(checkerboard):
    names = ("num_layers", "visual_k", "k", "beta", "l2", "dropout")
    table = {
        "baby": (4, 40, 15, 0.01, 1e-4, 0.1),
        "sports": (3, 10, 10, 0.03, 1e-4, 0.0),
        "clothing": (3, 40, 10, 0.01, 1e-5, 0.0),
    }
    for preset, values in table.items():
        settings = SMORE.preset(preset).model
        assert tuple(settings[name] for name in names) == values
        assert build(checkerboard, **settings).features.trainable


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "SMORE(24, 40, 6, num_layers=3, num_item_layers=1, "
        "features=ItemFeatures({'textual': 5, 'visual': 12}, trainable=False))"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match=r"num_item_layers must be at least 1 \(got 0\)"):
        build(checkerboard, num_item_layers=0)
    with pytest.raises(ValueError, match=r"dropout must be at least 0 and below 1 \(got -0.1\)"):
        build(checkerboard, dropout=-0.1)
    with pytest.raises(ValueError, match="modality 'visual' .*k=40, items=40"):
        build(checkerboard, visual_k=40)(checkerboard)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        SMORE.from_data(data)
