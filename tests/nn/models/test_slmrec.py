import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import SLMRec

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])


def build(data, **kwargs):
    torch.manual_seed(0)
    return SLMRec.from_data(data, **{"embedding_dim": 4} | kwargs)


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


def channels(model, data, num_layers):
    """LightGCN of each channel by itself, with a dense matrix."""
    num_users, num_items = 24, 40
    user, item = data["user", "interacts", "item"].edge_index
    a = torch.zeros(num_users + num_items, num_users + num_items, dtype=torch.double)
    a[user, num_users + item] = 1
    a = a + a.T
    scale = a.sum(1).clamp(min=1).rsqrt()
    laplacian = scale.view(-1, 1) * a * scale
    state = model.state_dict()
    sources = [state["item_embedding.weight"]]
    for m in ("visual", "textual"):
        x = F.normalize(data["item"][f"x_{m}"]) * data["item"][f"{m}_mask"].view(-1, 1)
        weight, bias = state[f"lin_feature.{m}.weight"], state[f"lin_feature.{m}.bias"]
        sources.append(x @ weight.T + bias)
    outputs = []
    for source in sources:
        layers = [torch.cat([state["user_embedding.weight"], source])]
        for _ in range(num_layers):
            layers.append(laplacian @ layers[-1])
        outputs.append(torch.stack(layers).mean(0))
    return [x[:num_users] for x in outputs], [x[num_users:] for x in outputs]


def fuse(model, data, num_layers=3):
    users, items = channels(model, data, num_layers)
    return model.lin_user(torch.cat(users, 1)), model.lin_item(torch.cat(items, 1))


def test_repr(checkerboard):
    model = build(checkerboard)
    assert repr(model) == "SLMRec(24, 40, {'visual': 12, 'textual': 5}, 4, num_layers=3)"


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_scores_equal_a_lightgcn_for_each_channel(data, num_layers):
    model = build(data, num_layers=num_layers).double()
    for found, wanted in zip(model(data), fuse(model, data, num_layers), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)  # float32 graph weights


def test_loss_by_hand(data):
    model = build(data, temperature=0.5, ssl_weight=0.3, ssl_temperature=0.7).double()
    terms = model.loss(data, USER, POS, NEG)
    user, item = fuse(model, data)
    expected = 0
    for row, u in enumerate(USER):
        cosines = torch.stack([torch.cosine_similarity(user[u], item[i], dim=0) for i in POS])
        expected = expected - torch.log_softmax(cosines / 0.5, 0)[row] / 3
    torch.testing.assert_close(terms["infonce"], expected, rtol=1e-5, atol=1e-7)

    identity, visual, textual = (x[POS] for x in channels(model, data, 3)[1])
    first = model.lin_joint[0](identity)
    second = model.lin_joint[1](first)
    assert (first.shape, second.shape) == ((3, 4), (3, 2))
    expected = 0
    for joint, view, lin in ((first, visual, 0), (second, textual, 1)):
        view = view @ model.lin_modality[lin].weight.T
        for row in range(3):
            logits = torch.stack([joint[row] @ other for other in view]) / 0.7
            expected = expected - torch.log_softmax(logits, 0)[row] / 3
    torch.testing.assert_close(terms["ssl"], 0.3 * expected, rtol=1e-5, atol=1e-7)
    assert len(terms) == 2


def test_modalities_join_from_fine_to_coarse():
    features = {m: torch.randn(5, 3) for m in ("acoustic", "smell", "textual", "visual")}
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]),
        torch.tensor([0, 0]),
        num_users=2,
        num_items=5,
        features=features,
    )
    model = build(data)
    assert list(model.modalities) == ["visual", "acoustic", "textual", "smell"]
    assert [lin.out_features for lin in model.lin_joint] == [4, 4, 4, 2]
    alone = SLMRec(2, 5, {"visual": 3}, 4)
    assert [lin.out_features for lin in alone.lin_joint] == [4]


def test_weight_decay_is_the_optimisers(checkerboard):
    (group,) = build(checkerboard, l2=0.5).parameter_groups(0.1)
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.5)
    assert torch.optim.Adam([group]).param_groups[0]["weight_decay"] == 0.5


def test_preset_is_the_authors():
    preset = SLMRec.preset("tiktok")
    assert (preset.model, preset.fit["lr"], preset.fit["batch_size"]) == ({}, 0.01, 2048)


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match="num_layers must be at least 1 .*got 0"):
        build(checkerboard, num_layers=0)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        SLMRec.from_data(data)
