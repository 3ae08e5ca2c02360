"""CRANE as a whole: its branches, its presets, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import Residual
from crane_pyg.nn.models import CRANE
from crane_pyg.nn.models.crane_presets import PRESETS
from tests.nn.models.small_crane import SEMANTIC, build
from tests.nn.models.small_data import batch


def test_branches_apart_add_up_their_scores(checkerboard):
    """Each is what it would be by itself: LightGCN, and the item graph on a table of its own."""
    model = build(checkerboard, dual_fusion=False, **SEMANTIC, ranking="bpr", l2=0.1).eval()
    views = model.views(checkerboard)
    z_user, z_item = model(checkerboard)
    score = views.e_user @ views.e_item.T + views.h_user @ views.h_item.T
    torch.testing.assert_close(model.scores(z_user, z_item), score)
    alone = build(checkerboard, fusion=None).eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(views.e_user, alone.views(checkerboard).e_user)

    user, pos, neg = batch(checkerboard)
    terms = model.loss(checkerboard, user, pos, neg)
    bpr = 0
    for x_user, x_item in ((views.e_user, views.e_item), (views.h_user, views.h_item)):
        margin = (x_user[user] * (x_item[pos] - x_item[neg])).sum(1)
        bpr = bpr - margin.sigmoid().log().mean()
    torch.testing.assert_close(terms["bpr"], bpr)
    tables = (model.item_embedding, model.semantic_embedding)
    rows = [model.user_embedding(user), *(table(x) for table in tables for x in (pos, neg))]
    norms = sum(x.square().sum() for x in rows) / (2 * len(user))
    torch.testing.assert_close(terms["l2"], 0.1 * norms)


def test_branches_apart_average_their_cosines(checkerboard):
    model = build(checkerboard, dual_fusion=False, **SEMANTIC, ranking_similarity="cosine").eval()
    views = model.views(checkerboard)
    cosines = [
        F.normalize(user, dim=1) @ F.normalize(item, dim=1).T
        for user, item in ((views.e_user, views.e_item), (views.h_user, views.h_item))
    ]
    score = model.scores(*model(checkerboard))
    torch.testing.assert_close(score, (cosines[0] + cosines[1]) / 2)


def test_the_residual_is_added_once_training_is_over(checkerboard):
    model = build(checkerboard).eval()
    user = torch.arange(24)
    own = model.scores(*model(checkerboard))
    torch.testing.assert_close(model.scorer(checkerboard)(user), own)
    tried = (0.0, *Residual.SHARES)

    def quality(scorers):
        shares = tried if len(scorers) == len(tried) else [0.2] * len(scorers)
        return [-abs(share - 0.2) for share in shares]

    model.calibrate(checkerboard, quality)
    assert model.residual.share == torch.tensor(0.2)
    expected = model.residual(checkerboard, lambda user: own[user])(user)
    assert not torch.equal(expected, own)
    torch.testing.assert_close(model.scorer(checkerboard)(user), expected)
    bare = build(checkerboard, fit_users=False, residual=None)
    assert bare.calibrate(checkerboard, quality) is None


def test_branches_apart_do_not_teach_each_other(checkerboard):
    model = build(checkerboard, dual_fusion=False, **SEMANTIC)
    views = model.views(checkerboard)
    views.h_user.sum().backward()
    assert model.item_embedding.weight.grad is None
    assert model.user_embedding.weight.grad is None
    assert model.semantic_embedding.weight.grad is not None


def test_presets_are_table_3(checkerboard):
    baby, sports = CRANE.preset("baby"), CRANE.preset("sports")
    assert (baby.model["num_rounds"], baby.model["k"], baby.fit["lr"]) == (3, 15, 1e-4)
    assert (sports.model["temperature"], sports.model["beta"], sports.fit["lr"]) == (0.5, 0.7, 5e-5)
    assert CRANE.preset("electronics").model["l2"] == 5e-4
    assert list(PRESETS) == ["bpr", "paper", "baby", "sports", "clothing", "electronics"]
    for name in [*PRESETS][1:]:
        preset = CRANE.preset(name)
        assert build(checkerboard, **preset.model).encoder.thinning.mode == "bernoulli"
        assert preset.fit["patience"] == 5
        assert preset.fit["monitor"] == "Recall@20"


def test_repr(checkerboard):
    assert repr(build(checkerboard, content_term=True)) == (
        "CRANE(24, 40, 6, num_layers=2, num_item_layers=1, "
        "item_graph=RefreshedItemGraph(LearnedItemGraph("
        "RCAFusion({'textual': 5, 'visual': 12}, 6), k=3), refresh=4), "
        "content_term=ContentTerm({'textual': 5, 'visual': 12}, 6), "
        "history_fit=HistoryFit(steps=0), residual=Residual(LocalEASE, share=0))"
    )


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"drop_edge": "all"}, "drop_edge must be one of .*got 'all'"),
        ({"drop_degree": "half"}, "drop_degree must be one of .*got 'half'"),
        ({"readout": "max"}, "readout must be one of .*got 'max'"),
        ({"l2_of": "none"}, "l2_of must be one of .*got 'none'"),
        ({"reduction": "max"}, "reduction must be one of .*got 'max'"),
        ({"refresh": 0}, "refresh must be .*got 0"),
        ({"fusion": "stack"}, "fusion must be one of 'rca', 'concat', .*got 'stack'"),
        (
            SEMANTIC | {"dual_fusion": False, "fusion": None},
            "an item graph.*item_graph=None, contra",
        ),
        (
            SEMANTIC | {"dual_fusion": False, "beta": 0.1},
            "no contrastive term.*=InfoNCE.weight=0.1",
        ),
        ({"beta": 0.1}, "semantic_profile must not be None.*=InfoNCE.weight=0.1"),
        ({"dual_fusion": False}, "semantic_profile must not be None.*dual_fusion=False"),
        ({"only_modalities": ["smell"]}, r"some of \['textual', 'visual'\] .*got \['smell'\]"),
        ({"only_modalities": []}, "must have item features"),
        ({"profile": "median"}, "profile must be one of .*got 'median'"),
        ({"impl": "nystroem"}, "impl must be one of .*got 'nystroem'"),
        ({"act": "reluu"}, "Could not resolve 'reluu'"),
    ],
)
def test_bad_options(checkerboard, kwargs, match):
    with pytest.raises(ValueError, match=match):
        build(checkerboard, **kwargs)


def test_a_set_without_features():
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        CRANE.from_data(data)
    assert CRANE.from_data(data, fusion=None)(data)[0].shape == (2, 64)
