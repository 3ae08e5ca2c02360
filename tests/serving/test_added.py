"""An item added later gets what its model's graph gives an item that nobody took."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.export import export_model
from crane_pyg.nn.models import MODELS
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.serving import Recommender

UNTAKEN = [6, 7]  # of which 7 has one modality alone
CRANES = [
    {},
    {"fusion": "concat"},
    {"fusion": "concat", "center": False, "loop": False},
    {"num_rounds": 2, "gain": True},
    {"normalize": False, "profile": "mean"},
    {"num_item_layers": 2, "ranking_similarity": "inner"},
    {"content_term": True},
    {"content_term": True, "center": False, "num_item_layers": 2, "semantic_profile": "sqrt"},
    {"content_term": True, "act": "relu", "conv_weight": True, "readout": "last"},
]


@pytest.fixture
def gappy(checkerboard):
    """The checkerboard with gaps in its features, and two items that nobody takes."""
    edges = checkerboard[USER_TO_ITEM].edge_index
    edges = edges[:, ~torch.isin(edges[1], torch.tensor(UNTAKEN))]
    draw = torch.Generator().manual_seed(0)
    masks = {m: torch.rand(40, generator=draw) > 0.2 for m in ("textual", "visual")}
    for mask in masks.values():
        mask[UNTAKEN] = True
    masks["visual"][7] = False
    return build_hetero_data(
        edges,
        torch.zeros(edges.size(1), dtype=torch.long),
        num_users=24,
        num_items=40,
        features={m: checkerboard["item"][f"x_{m}"] for m in masks},
        masks=masks,
    )


@pytest.fixture
def shop_of(gappy, tmp_path):
    """An untrained model of the gappy checkerboard, exported."""

    def make(name, **settings):
        torch.manual_seed(0)
        small = {"embedding_dim": 8, "k": 4}
        small = {key: value for key, value in small.items() if key in MODELS[name].settings()}
        model = MODELS[name].from_settings(gappy, **small | settings).eval()
        if getattr(model, "content_term", None) is not None:
            torch.nn.init.normal_(model.content_term.weight)
        users, items = (
            [f"{kind} {n}" for n in range(size)] for kind, size in (("user", 24), ("item", 40))
        )
        export_model(model, gappy, tmp_path / "shop", user_ids=users, item_ids=items)
        return Recommender.load(tmp_path / "shop")

    return make


def features_of(data, item):
    """What ``add_items`` takes; zeros where the item lacks a modality."""
    return {m: data["item"][f"x_{m}"][[item]].numpy() for m in ("textual", "visual")}


def found_without_twin(finder, features, item):
    """The neighbours of an item's copy, but for the item itself, which is the nearest."""
    has = {m: x[0] for m, x in features.items() if x.any()}
    found = replace(finder, k=finder.k + 1).find(has)
    return found._replace(
        item=found.item[found.item != item], weight=found.weight[found.item != item]
    )


@pytest.mark.parametrize("settings", CRANES)
@pytest.mark.parametrize("item", UNTAKEN)
def test_a_copy_of_an_untaken_item_gets_its_vector(settings, item, shop_of, gappy):
    shop = shop_of("crane", residual=None, **settings)
    found = found_without_twin(shop.tables.finder, features_of(gappy, item), item)
    total = np.abs(found.weight.sum(axis=1)).sum() + found.own
    weight = found.weight.sum(axis=1) / total
    has = {m: x[0] for m, x in features_of(gappy, item).items() if x.any()}
    layers, passed = shop.tables.graph.gathered(has, found.item, weight, found.own / total)
    vector = layers[0] + passed
    expected = shop.tables.vectors.raw_item(item)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)
    edges = shop.tables.graph.edges
    inside = edges.indices(item) != item
    order = np.argsort(found.item)
    np.testing.assert_array_equal(found.item[order], edges.indices(item)[inside])
    np.testing.assert_allclose(
        found.weight[order] / total, edges.values(item)[inside, :-1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("item", UNTAKEN)
def test_a_frozen_graph_is_searched_as_it_was_built(item, shop_of, gappy):
    shop = shop_of("freedom")
    found = found_without_twin(shop.tables.finder, features_of(gappy, item), item)
    weight = found.weight * np.sqrt((shop.tables.finder.k + 1) / shop.tables.finder.k)
    edges = shop.tables.graph.edges
    wanted = np.zeros((40, 2))
    wanted[edges.indices(item)] = edges.values(item)[:, :-1]
    got = np.zeros((40, 2))
    np.add.at(got, found.item, weight)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["crane", "freedom", "lightgcn", "vbpr", "ials"])
def test_added_items_are_ranked_beside_the_others(name, shop_of, gappy):
    shop = shop_of(name)
    features = features_of(gappy, 6)
    again = shop.add_items(features, ["new"], titles=["New"], pictures=["new.png"])
    assert len(shop.item_ids) == 40  # which is as it was
    assert (again.item_ids[40], again.titles[40], again.titles[3]) == ("new", "New", "")
    assert again.pictures[40] == "new.png"
    assert len(again.recommend("user 3", 41, filter_seen=False)) == 41
    assert again.similar_items("new", 1, by="content").ids == ("item 6",)
    found = again.explain("user 3", "new")
    assert found.total == pytest.approx(found.score, abs=1e-5)
    assert len(again.recommend_for_history(["new", "item 3"], 10)) == 10
    both = again.add_items({"textual": features["textual"]}, ["text alone"])
    assert len(both.recommend("user 3", 42, filter_seen=False)) == 42


def test_an_item_without_any_feature_is_an_average_one(shop_of):
    shop = shop_of("crane").add_items({}, ["bare"])
    assert not np.asarray(shop.tables.vectors.item[40]).any()
    assert np.isfinite(dict(shop.recommend("user 0", 41, filter_seen=False))["bare"])


def test_what_cannot_be_added_is_named(shop_of, gappy):
    shop, features = shop_of("lightgcn"), features_of(gappy, 6)
    with pytest.raises(ValueError, match=r"new and distinct \(got \['item 3'\]\)"):
        shop.add_items(features, ["item 3"])
    with pytest.raises(ValueError, match=r"'visual' must be \[2, 12\]"):
        shop.add_items({"visual": features["visual"]}, ["a", "b"])
    with pytest.raises(ValueError, match="not all finite"):
        shop.add_items({"visual": features["visual"] * np.nan}, ["a"])
    with pytest.raises(ValueError, match="features must be of"):
        shop.add_items({"smell": np.ones((1, 3))}, ["a"])
    with pytest.raises(ValueError, match="a text for each"):
        shop.add_items(features, ["a"], titles=[])
