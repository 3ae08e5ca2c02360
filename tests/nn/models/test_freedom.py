import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import LearnedItemGraph, RCAFusion, RefreshedItemGraph
from crane_pyg.nn.models import FREEDOM
from tests.nn.models.small_data import as_double, batch


def build(data, **kwargs):
    torch.manual_seed(0)
    return FREEDOM.from_data(data, **{"embedding_dim": 6, "k": 3} | kwargs)


def dense(model, data, edge_index, num_item_layers=1):
    """The equations with dense matrices; all features are present."""
    a = torch.zeros(24, 40, dtype=torch.double)
    a[edge_index[0], edge_index[1]] = 1
    a = a / (a.sum(1, keepdim=True) * a.sum(0)).sqrt().clamp(min=1e-30)
    state = model.state_dict()
    user, item = [state["user_embedding.weight"]], [state["item_embedding.weight"]]
    for _ in range(2):
        user, item = [*user, a @ item[-1]], [*item, a.T @ user[-1]]

    s = torch.zeros(40, 40, dtype=torch.double)
    for m, share in (("textual", 0.9), ("visual", 0.1)):
        x = F.normalize(data["item"][f"x_{m}"], dim=1)
        neighbour = (x @ x.T).topk(3).indices
        s += share * torch.zeros_like(s).scatter(1, neighbour, 1 / 3)
    h = torch.linalg.matrix_power(s, num_item_layers) @ item[0]
    return torch.stack(user).mean(0), torch.stack(item).mean(0) + h


@pytest.mark.parametrize("num_item_layers", [1, 2])
def test_scores_equal_the_dense_equations(checkerboard, num_item_layers):
    data = as_double(checkerboard)
    model = build(data, num_item_layers=num_item_layers).double()
    model.start_epoch(data)
    edge_index = data["user", "interacts", "item"].edge_index
    expected = dense(model, data, edge_index, num_item_layers)
    for found, wanted in zip(model.eval()(data), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)  # float32 graph weights


def test_training_sees_a_share_of_the_edges_with_the_degrees_it_leaves(checkerboard):
    data = as_double(checkerboard)
    model = build(data, drop_ratio=0.75).double()
    model.start_epoch(data)
    kept = model.thinning(model.user_item_graphs(data))[0].edge_index
    assert kept.size(1) == data["user", "interacts", "item"].edge_index.size(1) // 4
    for found, wanted in zip(model(data), dense(model, data, kept), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)
    first = model(data)[0]
    model.start_epoch(data)
    assert not torch.equal(model(data)[0], first)


def test_a_thinned_graph_of_other_data_is_not_used(checkerboard):
    model = build(checkerboard)
    sample = model(checkerboard)[0]
    other = copy.copy(checkerboard)
    store = other["user", "interacts", "item"]
    store.edge_index = store.edge_index.clone()
    assert torch.equal(model(checkerboard)[0], sample)
    assert not torch.equal(model(other)[0], sample)


@pytest.mark.parametrize("trainable", [False, True])
def test_loss_by_hand(checkerboard, trainable):
    model = build(checkerboard, feature_weight=0.5, trainable_features=trainable).eval()
    user, pos, neg = batch(checkerboard)
    checkerboard["item"].visual_mask[pos[2]] = False
    checkerboard["item"].x_visual[pos[2]] = 1e6  # what a masked row holds does not matter
    terms = model.loss(checkerboard, user, pos, neg)
    z_user, z_item = model(checkerboard)
    bpr = modality = 0
    for u, i, j in zip(user, pos, neg, strict=True):
        bpr = bpr - F.logsigmoid(z_user[u] @ (z_item[i] - z_item[j])) / 8
        for m in ("visual", "textual"):
            store = checkerboard["item"]
            if store[f"{m}_mask"][i] and store[f"{m}_mask"][j]:
                projected = model.lin[m](store[f"x_{m}"])
                margin = z_user[u] @ projected[i] - z_user[u] @ projected[j]
                modality = modality - F.logsigmoid(margin) / 8
    assert set(terms) == {"bpr", "modality"}
    torch.testing.assert_close(terms["bpr"], bpr)
    torch.testing.assert_close(terms["modality"], 0.5 * modality)
    assert set(build(checkerboard, feature_weight=0.0).loss(checkerboard, user, pos, neg)) == {
        "bpr"
    }


def test_trainable_features_learn_and_the_graph_stays(checkerboard):
    model = build(checkerboard, trainable_features=True)
    graph = model.item_graph(checkerboard)
    before = checkerboard["item"].x_visual.clone()
    user, pos, neg = batch(checkerboard)
    sum(model.loss(checkerboard, user, pos, neg).values()).backward()
    grad = model.features.x["visual"].grad.abs().sum(1) > 0
    assert set(grad.nonzero().view(-1).tolist()) == set(pos.tolist()) | set(neg.tolist())
    with torch.no_grad():
        model.features.x["visual"].zero_()
    assert model.item_graph(checkerboard) is graph
    assert torch.equal(checkerboard["item"].x_visual, before)


def test_an_item_without_any_modality_has_no_neighbours(checkerboard):
    for m in ("visual", "textual"):
        checkerboard["item"][f"{m}_mask"][5] = False
        checkerboard["item"][f"x_{m}"][5] = 1e6
    model = build(checkerboard)
    graph = model.item_graph(checkerboard)
    assert not (graph.edge_index == 5).any()
    model.start_epoch(checkerboard)
    sum(model.loss(checkerboard, *batch(checkerboard)).values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_repr(checkerboard):
    assert repr(build(checkerboard)) == (
        "FREEDOM(24, 40, 6, num_layers=2, num_item_layers=1, "
        "features=ItemFeatures({'textual': 5, 'visual': 12}, trainable=False))"
    )


def test_bad_input(checkerboard):
    with pytest.raises(ValueError, match=r"drop_ratio must be at least 0 and below 1 \(got 1.0\)"):
        build(checkerboard, drop_ratio=1.0)
    with pytest.raises(ValueError, match="number of items .*k=40, items=40"):
        build(checkerboard, k=40)(checkerboard)
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        FREEDOM.from_data(data)


def test_any_item_graph_may_take_the_place_of_the_frozen_one(checkerboard):
    fusion = RCAFusion({"textual": 5, "visual": 12}, 4)
    graph = RefreshedItemGraph(LearnedItemGraph(fusion, 3), 40)
    model = build(checkerboard, item_graph=graph)
    model.start_epoch(checkerboard)
    model.loss(checkerboard, *batch(checkerboard))["bpr"].backward()
    assert all(p.grad.abs().sum() > 0 for p in fusion.lin.parameters())
