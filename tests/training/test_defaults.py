"""One table says how models are trained, whoever trains them."""

import inspect

import pytest

from crane_pyg.cli import main
from crane_pyg.experiments import complete_settings
from crane_pyg.nn.models import CRANE, LightGCN
from crane_pyg.training import TRAINING_DEFAULTS, TrainingSettings, fit, training_settings


@pytest.mark.parametrize("name", TrainingSettings._fields)
def test_fit_and_the_commands_have_the_defaults_of_the_table(capsys, name):
    default = getattr(TRAINING_DEFAULTS, name)
    assert inspect.signature(fit).parameters[name].default is None
    assert getattr(training_settings(LightGCN), name) == default
    assert complete_settings("lightgcn")[name] == default
    for command in ("train", "compare", "tune"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        words = " ".join(capsys.readouterr().out.split())
        option = words[words.rindex(f"--{name.replace('_', '-')} ") :]
        assert f"or {default})" in option[: option.index("(default:") + 60]


def test_a_model_may_have_defaults_of_its_own_and_what_is_given_wins():
    assert training_settings(CRANE).lr == 1.2e-2
    assert training_settings(CRANE, lr=0.5, epochs=None).lr == 0.5
    assert complete_settings("crane")["lr"] == 1.2e-2
    bpr = complete_settings("crane", preset="bpr")
    assert (bpr["lr"], bpr["decay_epochs"], bpr["weight_decay"]) == (1e-3, 0.0, 0.0)


def test_patience_is_what_the_results_ask_for():
    assert TRAINING_DEFAULTS.patience == 20
