import pytest

from crane_pyg.choices import options_of
from crane_pyg.nn.objectives import (
    RANKING_LOSSES,
    BPRLoss,
    CosineContrastive,
    RankingName,
    RankingSettings,
    SampledSoftmax,
)


def test_every_name_has_a_loss():
    assert tuple(RANKING_LOSSES) == options_of(RankingName)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, BPRLoss()),
        ({"ranking": "softmax"}, SampledSoftmax()),
        ({"ranking": "ccl"}, CosineContrastive()),
        (
            {"ranking": "softmax", "ranking_temperature": 0.1, "ranking_negatives": "row"},
            SampledSoftmax(0.1, "row"),
        ),
        (
            {"ranking": "softmax", "ranking_negatives": "batch", "ranking_correction": True},
            SampledSoftmax(negatives="batch", correction=True),
        ),
        (
            {"ranking": "ccl", "ranking_margin": 0.9, "ranking_negative_weight": 3.0},
            CosineContrastive(0.9, 3.0),
        ),
        ({"ranking": "ccl", "ranking_negatives": "row"}, CosineContrastive(negatives="row")),
        ({"ranking": "softmax", "ranking_max_negatives": 7}, SampledSoftmax(max_negatives=7)),
    ],
)
def test_a_loss_takes_what_is_its_own(settings, expected):
    assert RankingSettings(**settings).ranking_loss() == expected


@pytest.mark.parametrize("name", RANKING_LOSSES)
def test_the_reduction_is_passed_on(name):
    loss = RankingSettings(name).ranking_loss("sum")
    assert (loss.name, loss.reduction) == (name, "sum")


def test_bad_settings():
    with pytest.raises(ValueError, match="ranking must be one of 'bpr', .*got 'hinge'"):
        RankingSettings("hinge")
    with pytest.raises(
        ValueError, match="ranking_temperature must be a finite number above 0 .got 0.0"
    ):
        RankingSettings("softmax", ranking_temperature=0.0).ranking_loss()
