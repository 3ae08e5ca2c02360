import numpy as np
import pytest
import torch

from crane_pyg.serving.explain import BEHAVIOUR, TOGETHER

CASES = [
    ("lightgcn", {}),
    ("freedom", {}),
    ("ials", {}),
    ("bpr", {}),
    ("lattice", {}),
    ("simplex", {}),
    ("mgcn", {}),
    ("ease", {}),
    ("itemknn", {}),
    ("crane", {}),
    ("crane", {"residual": None}),
    ("crane", {"ranking_similarity": "inner", "num_item_layers": 2, "fusion": "mean"}),
    ("crane", {"ranking": "bpr", "fusion": "concat", "semantic_profile": "mean"}),
    ("crane", {"fusion": None, "residual": "ease"}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_contributions_sum_to_the_score(exported, name, settings):
    model, shop = exported(name, **settings)
    for user in ("user 0", "user 7"):
        ranking = dict(shop.recommend(user, 40, filter_seen=False))
        for item in ("item 0", "item 9", "item 39"):
            found = shop.explain(user, item)
            assert found.score == pytest.approx(ranking[item], rel=1e-5, abs=1e-5)
            assert found.total == pytest.approx(found.score, rel=1e-5, abs=1e-5)
            assert {part.item for part in found.contributions} <= set(shop.history_of(user))
    history = ["item 3", "item 8", "item 11"]
    scores = dict(shop.recommend_for_history(history, 40, filter_seen=False))
    found = shop.explain(history, "item 5")
    assert found.total == pytest.approx(scores["item 5"], rel=1e-5, abs=1e-5)
    amounts = [part.amount for part in found.contributions]
    assert amounts == sorted(amounts, reverse=True)


def share(model, value):
    model.residual.share.fill_(value)


def test_crane_says_over_which_edges(exported, checkerboard, tmp_path):
    _, shop = exported("crane")
    edges = {part.edge for part in shop.explain("user 0", "item 2").contributions}
    assert {BEHAVIOUR, "textual", "visual"} <= edges
    taste = shop._scores.taste_for(np.array([4]))
    assert taste.start < 1 < taste.start + taste.taken
    # Items of one parity speak for each other, the others against.
    like = shop.explain(["item 4"], "item 2").total
    assert like > shop.explain(["item 4"], "item 3").total


def test_an_edge_of_the_graph_is_divided_as_its_modalities_say(exported):
    model, shop = exported("crane", residual=None)
    graph = shop.tables.graph
    weight = np.asarray(graph.edges.value).sum(axis=1)
    rows = np.repeat(np.arange(40), np.diff(graph.edges.start))
    np.testing.assert_allclose(np.bincount(rows, weights=weight), 1, rtol=1e-5)
    own = graph.edges.index == rows
    assert (np.asarray(graph.edges.value)[own, :-1] == 0).all()
    assert (np.asarray(graph.edges.value)[~own, -1] == 0).all()


def test_closed_form_weights_are_contributions(exported):
    model, shop = exported("ease")
    found = shop.explain(["item 4", "item 6"], "item 2")
    assert {part.edge for part in found.contributions} == {TOGETHER}
    expected = model.weights.weight[[4, 6], 2]
    amounts = {part.item: part.amount for part in found.contributions}
    torch.testing.assert_close(
        torch.tensor([amounts["item 4"], amounts["item 6"]]), expected, rtol=1e-5, atol=1e-6
    )


def test_scores_that_are_no_sums_are_not_explained(exported):
    _, shop = exported("dgvae")
    with pytest.raises(ValueError, match="must be a sum"):
        shop.explain("user 0", "item 1")
