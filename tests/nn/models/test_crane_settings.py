import inspect

import pytest

from crane_pyg.nn.fusion import FUSIONS
from crane_pyg.nn.models import CRANE
from crane_pyg.nn.models.crane_settings import CRANESettings
from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective, SampledSoftmax
from crane_pyg.nn.residual import RESIDUALS

WIDTHS = {"textual": 5, "visual": 12}
RESOLVED = {"ranking_similarity": "cosine", "drop_edge": None}


def arguments(**settings):
    return CRANESettings(**RESOLVED | settings).arguments(WIDTHS, 40)


def test_the_defaults_are_those_of_the_constructor():
    flat = arguments(fusion=None)
    parameters = inspect.signature(CRANE).parameters
    assert set(flat) == set(parameters) - {"num_users", "num_items", "content_term"}
    for name in ("embedding_dim", "num_item_layers", "semantic_profile", "dual_fusion", "graph_lr"):
        assert flat[name] == parameters[name].default
    model = CRANE(3, 4)
    assert repr(model.encoder) == repr(flat["encoder"])
    assert (model.objective, model.item_graph) == (flat["objective"], flat["item_graph"])


def test_the_objective():
    flat = arguments(ranking="bpr", l2=0.5, l2_of="all", beta=0.3, temperature=0.4, reduction="sum")
    expected = Objective(BPRLoss("sum"), InfoNCE(0.3, 0.4, "sum"), L2(0.5, "all"))
    assert flat["objective"] == expected


@pytest.mark.parametrize(("name", "kinds"), RESIDUALS.items())
def test_the_residual(name, kinds):
    residual = arguments(residual=name)["residual"]
    assert tuple(map(type, residual.linears)) == kinds
    assert all(linear.num_items == 40 for linear in residual.linears)
    assert arguments(residual=None)["residual"] is None


def test_another_ranking_loss():
    settings = {"ranking_temperature": 0.1, "ranking_negatives": "batch", "temperature": 0.4}
    flat = arguments(ranking="softmax", reduction="sum", **settings)
    expected = SampledSoftmax(0.1, "batch", reduction="sum", max_negatives=512)
    assert flat["objective"].ranking == expected
    with pytest.raises(ValueError, match="ranking_negatives must be one of 'shared', .*got 'all'"):
        CRANESettings(ranking_negatives="all")


def test_the_encoder():
    flat = arguments(num_layers=3, readout="sum", drop_edge="multinomial", drop_ratio=0.5)
    assert repr(flat["encoder"]) == (
        "CollaborativeEncoder(num_layers=3, readout='sum', "
        "thinning=DegreeThinning('multinomial', ratio=0.5, degrees='sampled'))"
    )


@pytest.mark.parametrize("name", FUSIONS)
def test_the_item_graph(name):
    graph = arguments(fusion=name, k=3, refresh=2, only_modalities=["visual"])["item_graph"]
    assert type(graph.graph.fusion) is FUSIONS[name]
    assert graph.refresh == (2 if graph.learns else None)
    assert graph.graph.k == 3
    assert graph.graph.fusion.modalities == {"visual": 12}


def test_what_only_the_data_decide():
    with pytest.raises(ValueError, match="drop_edge='auto' asks the data: CRANE.from_data"):
        arguments(drop_edge="auto")


def test_an_unknown_setting():
    with pytest.raises(TypeError, match="kk"):
        CRANESettings(kk=3)
