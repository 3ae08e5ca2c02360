import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import LGMRec
from crane_pyg.nn.models import lgmrec as module
from tests.nn.models.small_data import as_double, batch


def build(data, **kwargs):
    torch.manual_seed(0)
    return LGMRec.from_data(data, **{"embedding_dim": 6} | kwargs)


def dense(model, data, *, hyper_layers, modality_layers):
    """The equations on one adjacency of users and items together; all features are present."""
    r = torch.zeros(24, 40, dtype=torch.double)
    user, item = data["user", "interacts", "item"].edge_index
    r[user, item] = 1
    a = torch.zeros(64, 64, dtype=torch.double)
    a[:24, 24:], a[24:, :24] = r, r.T
    scale = a.sum(1).clamp(min=1e-30).rsqrt()
    lap = scale.view(-1, 1) * a * scale
    state = model.state_dict()
    e = torch.cat([state["user_embedding.weight"], state["item_embedding.weight"]])
    e = (e + lap @ e + lap @ lap @ e) / 3

    z, h = e, {}
    for m in ("textual", "visual"):
        f = data["item"][f"x_{m}"]
        x = f @ state[f"lin.{m}.weight"].T
        x = torch.cat([r @ x / r.sum(1, keepdim=True), x])
        x = torch.linalg.matrix_power(lap, modality_layers) @ x
        z = z + x / x.norm(dim=1, keepdim=True)
        logit = f @ state[f"hyperedge.{m}.weight"].T
        of_item, of_user = (logit / 0.2).softmax(1), (r @ logit / 0.2).softmax(1)
        h_item = e[24:]
        for _ in range(hyper_layers):
            inner = of_item.T @ h_item
            h_item = of_item @ inner
        h[m] = torch.cat([of_user @ inner, h_item])
    total = h["textual"] + h["visual"]
    return z + 0.3 * total / total.norm(dim=1, keepdim=True), h


@pytest.mark.parametrize("hyper_layers", [1, 2])
@pytest.mark.parametrize("modality_layers", [0, 2])
def test_scores_equal_the_dense_equations(checkerboard, hyper_layers, modality_layers):
    data = as_double(checkerboard)
    options = {"hyper_layers": hyper_layers, "modality_layers": modality_layers}
    model = build(data, **options).double().eval()
    expected, h = dense(model, data, **options)
    z, found = model.views(data)
    # float32 graph weights
    torch.testing.assert_close(torch.cat(z), expected, rtol=1e-5, atol=1e-6)
    for m in ("textual", "visual"):
        torch.testing.assert_close(torch.cat(found[m]), h[m], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk", [1 << 26, 100])
def test_loss_by_hand(checkerboard, chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    model = build(checkerboard, beta=0.1, l2=0.5, num_hyperedges=8).eval()
    user, pos, neg = batch(checkerboard)
    terms = model.loss(checkerboard, user, pos, neg)
    z, h = model.views(checkerboard)
    u, i, j = z.user[user], z.item[pos], z.item[neg]
    margin = (u * i).sum(1) - (u * j).sum(1)
    torch.testing.assert_close(terms["bpr"], -margin.sigmoid().log().mean())
    norms = sum(x.square().sum().sqrt() for x in (u, i, j))
    torch.testing.assert_close(terms["norm"], 0.5 * norms / 8)

    contrast = contrast_by_hand(h["visual"], h["textual"], user, pos)
    torch.testing.assert_close(terms["contrastive"], 0.1 * contrast)


def contrast_by_hand(anchor, other, user, item):
    """Row by row, among all users or items; what stands twice in the batch counts twice."""
    contrast = 0
    for x, y, rows in zip(anchor, other, (user, item), strict=True):
        for row in rows:
            similarity = torch.cosine_similarity(x[row].unsqueeze(0), y) / 0.2
            contrast = contrast + similarity.logsumexp(0) - similarity[row]
    return contrast


def test_the_chunks_of_the_contrast_have_the_same_gradients(checkerboard, monkeypatch):
    grads = []
    for chunk in (1 << 26, 100):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        model = build(checkerboard, num_hyperedges=8).eval()
        model.loss(checkerboard, *batch(checkerboard))["contrastive"].backward()
        grads.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, msg=name)


def test_noise_is_drawn_in_training_only(checkerboard):
    model = build(checkerboard)
    assert not torch.equal(model(checkerboard)[0], model(checkerboard)[0])
    model.eval()
    assert torch.equal(model(checkerboard)[0], model(checkerboard)[0])


def test_one_modality_has_nothing_to_contrast(checkerboard):
    del checkerboard["item"].x_visual, checkerboard["item"].visual_mask
    terms = build(checkerboard).loss(checkerboard, *batch(checkerboard))
    assert set(terms) == {"bpr", "norm"}


def test_three_modalities_are_contrasted_in_pairs(checkerboard):
    data = checkerboard
    data["item"].x_acoustic = torch.randn(40, 3)
    data["item"].acoustic_mask = torch.ones(40, dtype=torch.bool)
    model = build(data, beta=1.0).eval()
    term = model.loss(data, *batch(data))["contrastive"]
    _, h = model.views(data)
    user, pos, _ = batch(data)
    pairs = [("visual", "acoustic"), ("visual", "textual"), ("acoustic", "textual")]
    losses = [contrast_by_hand(h[a], h[b], user, pos) for a, b in pairs]
    torch.testing.assert_close(term, sum(losses) / 3)


def test_what_a_masked_item_holds_does_not_matter(checkerboard):
    for m in ("visual", "textual"):
        checkerboard["item"][f"{m}_mask"][5] = False
    checkerboard["item"].visual_mask[6] = False
    model = build(checkerboard).eval()
    before = model(checkerboard)
    for m in ("visual", "textual"):
        checkerboard["item"][f"x_{m}"][5] = 1e6
    for a, b in zip(before, model(checkerboard), strict=True):
        assert torch.equal(a, b)
    _, h = model.views(checkerboard)
    assert (h["visual"].item[5:7] == 0).all()
    assert (h["textual"].item[6] != 0).any()
    sum(model.train().loss(checkerboard, *batch(checkerboard)).values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_user_is_the_mean_of_the_items_that_have_the_modality():
    features = {"visual": torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}
    data = build_hetero_data(
        torch.tensor([[0, 0, 0], [0, 1, 2]]),
        torch.zeros(3, dtype=torch.long),
        num_users=1,
        num_items=3,
        features=features,
        masks={"visual": torch.tensor([True, True, False])},
    )
    model = build(data, modality_layers=0, num_layers=0, alpha=0.0).eval()
    torch.nn.init.zeros_(model.user_embedding.weight)
    z, h = model.views(data)
    mean, total = torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0, 6.0]])
    torch.testing.assert_close(z.user, F.normalize(model.lin["visual"](mean)))
    of_user, of_item = (
        (model.hyperedge["visual"](x) / 0.2).softmax(1) for x in (total, features["visual"][:2])
    )
    hyperedge = of_item.T @ model.item_embedding.weight[:2]
    torch.testing.assert_close(h["visual"].user, of_user @ hyperedge)


def test_presets(checkerboard):
    assert {name: LGMRec.preset(name).model["alpha"] for name in module.PRESETS} == {
        "baby": 0.3,
        "sports": 0.6,
        "clothing": 0.2,
    }
    assert build(checkerboard, **LGMRec.preset("clothing").model).num_hyperedges == 64


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "LGMRec(24, 40, 6, num_layers=2, modality_layers=2, hyper_layers=1, num_hyperedges=4)"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match=r"hyper_layers must be at least 1 \(got 0\)"):
        build(checkerboard, hyper_layers=0)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        LGMRec.from_data(data)
