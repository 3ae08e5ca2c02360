import json

import pytest

from crane_pyg.experiments import complete_settings, split_settings
from crane_pyg.experiments.settings import settings_with_defaults
from crane_pyg.nn.models import MODELS
from crane_pyg.training import TRAINING_DEFAULTS


def test_what_is_given_wins_over_the_preset_over_the_defaults():
    settings = complete_settings("crane", {"k": 3, "epochs": 7}, "sports")
    assert (settings["k"], settings["epochs"]) == (3, 7)
    assert (settings["beta"], settings["lr"]) == (0.7, 5e-5)
    assert complete_settings("lightgcn") == TRAINING_DEFAULTS._asdict()


def test_settings_part_into_those_of_the_model_and_those_of_the_loop():
    own, loop = split_settings({"k": 3, "lr": 0.1, "monitor": "NDCG@20", "warm_start": False})
    assert own == {"k": 3, "warm_start": False}
    assert loop == {"lr": 0.1, "monitor": "NDCG@20"}


@pytest.mark.parametrize("model", MODELS)
def test_defaults_are_those_of_the_constructor_and_of_the_loop(model):
    full = settings_with_defaults(model, {"epochs": 8})
    assert full["epochs"] == 8
    assert full["monitor"] == ("GMean@20" if model == "crane" else "Recall@20")
    assert json.dumps(full)
    if model == "crane":
        assert (full["fusion"], full["warm_start"], full["k"]) == ("rca", True, 10)


@pytest.mark.parametrize(
    ("model", "settings", "match"),
    [
        ("crane9", {}, "model must be one of .*'bpr', .*got 'crane9'"),
        ("lightgcn", {"k": 3}, "lightgcn has the settings .*num_layers.*got 'k'"),
        ("crane", {"k": 3.5}, "k of crane must be int .got 3.5"),
        ("crane", {"loop": 1}, "loop of crane must be bool .got 1"),
        ("crane", {"fusion": "stack"}, "fusion of crane must be one of 'rca', .*got 'stack'"),
        (
            "crane",
            {"refresh": 1.5},
            "refresh of crane must be 'epoch' or 'step' or int or None .got 1.5",
        ),
        ("crane", {"seed": 1}, "got 'seed'"),
        ("bpr", {"ranking": "hinge"}, "ranking of bpr must be one of 'bpr', 'softmax', 'ccl' .got"),
        ("crane", {"ranking_margin": "wide"}, "ranking_margin of crane must be float .got 'wide'"),
        ("dgvae", {"ranking": "softmax"}, "dgvae has the settings .*got 'ranking'"),
        ("bpr", {"monitor": "AUC"}, "monitor of bpr must be .*'NDCG@10'.* .got 'AUC'"),
    ],
)
def test_a_wrong_setting_is_refused(model, settings, match):
    with pytest.raises(ValueError, match=match):
        complete_settings(model, settings)
