"""The two graphs of CRANE: when they are built, of what, and what no graph says."""

import pytest
import torch

from tests.nn.models.small_crane import build
from tests.nn.models.small_data import batch


def test_attention_learns_in_the_batch_that_rebuilt_the_graph(checkerboard):
    model = build(checkerboard, refresh="epoch")
    triplets = batch(checkerboard)
    learned = []
    for _ in range(2):
        model.start_epoch(checkerboard)
        for _ in range(2):
            model.zero_grad()
            model.loss(checkerboard, *triplets)["softmax"].backward()
            attention = model.item_graph.graph.fusion.rca
            learned.append(attention.lin_self["visual"].weight.grad is not None)
    assert learned == [True, False, True, False]


@pytest.mark.parametrize(
    ("refresh", "expected"),
    [("epoch", [1, 2, 3, 4]), (2, [1, 1, 2, 2]), (4, [1, 1, 1, 1]), ("step", [3, 6, 9, 12])],
)
def test_refresh(checkerboard, refresh, expected):
    model = build(checkerboard, refresh=refresh)
    builds = []
    model.item_graph.graph.register_forward_hook(lambda *_: builds.append(1))
    counts = []
    for _ in range(4):
        model.start_epoch(checkerboard)
        for _ in range(3):
            model.loss(checkerboard, *batch(checkerboard))
        model.eval()(checkerboard)
        model.train()
        counts.append(len(builds))
    assert counts == expected


def test_raw_features_are_linked_once(checkerboard):
    model = build(checkerboard, fusion="concat")
    builds = []
    model.item_graph.graph.register_forward_hook(lambda *_: builds.append(1))
    for _ in range(3):
        model.start_epoch(checkerboard)
        model.loss(checkerboard, *batch(checkerboard))
    assert len(builds) == 1


def test_a_graph_that_learns_is_linked_anew(checkerboard):
    model = build(checkerboard, fusion="projected", refresh="epoch")
    for _ in range(2):
        model.start_epoch(checkerboard)
        model.zero_grad()
        model.loss(checkerboard, *batch(checkerboard))["softmax"].backward()
        assert model.item_graph.graph.fusion.lin["visual"].weight.grad.abs().sum() > 0


def test_one_modality_is_that_modality(checkerboard):
    model = build(checkerboard, only_modalities=["visual"], fusion="concat")
    del checkerboard["item"].x_textual, checkerboard["item"].textual_mask
    alone = build(checkerboard, fusion="concat")
    assert list(model.item_graph.graph.fusion.modalities) == ["visual"]
    for found, wanted in zip(model(checkerboard), alone(checkerboard), strict=True):
        assert torch.equal(found, wanted)


def test_similar_items_are_of_the_same_kind(checkerboard):
    model = build(checkerboard, loop=False)
    graph = model.similar_items(checkerboard)
    source, target = graph.edge_index
    assert graph.num_nodes == 40
    assert torch.bincount(target).tolist() == [3] * 40
    assert (source % 2 == target % 2).float().mean() > 0.95
    total = torch.zeros(40).index_add(0, target, graph.edge_weight)
    torch.testing.assert_close(total, torch.ones(40))


def test_no_item_graph_is_lightgcn_with_the_mean(checkerboard):
    model = build(checkerboard, fusion=None)
    with pytest.raises(ValueError, match="must have an item graph"):
        model.similar_items(checkerboard)
    views = model.views(checkerboard)
    assert (views.h_user == 0).all()
    assert (views.h_item == 0).all()
    assert set(model.loss(checkerboard, *batch(checkerboard))) == {"softmax"}


def test_an_item_without_any_modality_keeps_its_collaborative_embedding(checkerboard):
    for m in ("visual", "textual"):
        checkerboard["item"][f"{m}_mask"][5] = False
        checkerboard["item"][f"x_{m}"][5] = 1e6  # what a masked row holds does not matter
    checkerboard["item"].visual_mask[6] = False
    model = build(checkerboard)
    model.start_epoch(checkerboard)
    views = model.views(checkerboard)
    assert (views.h_item[5] == 0).all()
    assert (views.h_item[6] != 0).any()
    assert views.e_item[5].abs().sum() > 0
    assert not (model.similar_items(checkerboard).edge_index[1] == 5)[
        model.similar_items(checkerboard).edge_weight > 0
    ].any()
    torch.stack(list(model.loss(checkerboard, *batch(checkerboard)).values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_an_item_that_nobody_took_is_what_its_neighbours_are(checkerboard):
    store = checkerboard["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, store.edge_index[1] != 7]
    model = build(checkerboard, fusion="concat").eval()
    with torch.no_grad():
        model.item_embedding.weight[7] = 1e6  # what it holds does not matter
    views = model.views(checkerboard)
    assert (views.e_item[7] == 0).all()
    similar = model.similar_items(checkerboard)
    to = similar.edge_index[1] == 7
    source, weight = similar.edge_index[0, to], similar.edge_weight[to]
    assert (source != 7).any()
    torch.testing.assert_close(views.h_item[7], weight @ views.e_item[source])
    torch.stack(list(model.loss(checkerboard, *batch(checkerboard)).values())).sum().backward()
    assert (model.item_embedding.weight.grad[7] == 0).all()
    assert model.item_embedding.weight.grad[6].abs().sum() > 0


def test_drop_edge_is_drawn_each_epoch_and_not_at_test(checkerboard):
    model = build(checkerboard, drop_edge="bernoulli", fusion="concat")
    model.start_epoch(checkerboard)
    first = model(checkerboard)[0]
    again = model(checkerboard)[0]
    model.start_epoch(checkerboard)
    second = model(checkerboard)[0]
    model.eval()
    full = model(checkerboard)[0]
    plain = build(checkerboard, fusion="concat").eval()(checkerboard)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(full, plain)


def test_drop_edge_is_of_the_data_at_hand(checkerboard):
    few = checkerboard.clone()
    few["user", "interacts", "item"].edge_index = few["user", "interacts", "item"].edge_index[:, :9]
    model = build(checkerboard, drop_edge="multinomial", drop_ratio=0.0, fusion=None)
    for data in (checkerboard, few):
        assert torch.equal(model.train()(data)[0], model.eval()(data)[0])


def test_degrees_of_the_sampled_graph(checkerboard):
    options = {"drop_edge": "multinomial", "drop_ratio": 0.5, "fusion": None}
    weights = []
    for degree in ("full", "sampled"):
        model = build(checkerboard, drop_degree=degree, num_layers=1, **options)
        first = model.encoder.convs[0]
        first.register_forward_pre_hook(lambda _, inputs: weights.append(inputs[1].weight))
        torch.manual_seed(1)
        model(checkerboard)
    weights = weights[::2]  # to the users, of either model
    assert weights[0].numel() == weights[1].numel() == 216
    assert weights[0].unique().numel() < weights[1].unique().numel()
    assert (weights[1] >= weights[0]).all()


def test_too_many_neighbours(checkerboard):
    with pytest.raises(ValueError, match="number of items .*k=40, items=40"):
        build(checkerboard, k=40)(checkerboard)
