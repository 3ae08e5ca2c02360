import pytest

from crane_pyg.nn.models import MODELS
from crane_pyg.ranges import Range, check_arguments, check_range
from crane_pyg.training import TRAINING_DEFAULTS


def test_a_range_says_what_it_holds():
    assert str(Range(0, above=True)) == "a finite number above 0"
    assert str(Range(0, 1, below=True)) == "at least 0 and below 1"
    assert str(Range(1, 10_000)) == "at least 1 and at most 10,000"
    assert [x for x in (-1, 0, 0.5, 1, float("inf"), float("nan")) if Range(0, 1).holds(x)] == [
        *(0, 0.5, 1)
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("lr", value) for value in (-1, -1.0, 0, 0.0, float("nan"), float("inf"))],
        *[("l2", value) for value in (-1, -1e-9, float("nan"), float("inf"))],
        *[("embedding_dim", value) for value in (0, -2, 10**12)],
        *[("num_layers", value) for value in (-3, 10**9)],
        *[
            ("hyper_layers", -1),
            ("num_factors", 0),
            ("k", 0),
            ("batch_size", 0),
            ("epochs", 10**30),
            ("ranking_max_negatives", 0),
        ],
        *[("temperature", 0.0), ("ranking_temperature", -0.2), ("dropout", 1.0), ("dropout", -0.1)],
        *[("drop_ratio", 1), ("skip", 1.5), ("visual_share", -0.1), ("ranking_margin", 2.0)],
    ],
)
def test_nonsense_is_refused_by_the_kind_of_setting(name, value):
    with pytest.raises(
        ValueError, match=rf"^{name} must be .*\(got {value!r}\)".replace("+", r"\+")
    ):
        check_range(name, value)
    with pytest.raises(ValueError, match="^the name must be"):
        check_range(name, value, "the name")


def test_what_is_no_number_passes():
    for value in (True, False, None, "word", [1], {"a": -1}):
        check_range("lr", value)


def test_defaults_and_published_settings_are_in_range():
    for model in MODELS.values():
        defaults = {name: setting.default for name, setting in model.settings().items()}
        presets = [{**preset.model, **preset.fit} for preset in model.presets.values()]
        for settings in (defaults, TRAINING_DEFAULTS._asdict(), *presets):
            for name, value in settings.items():
                check_range(name, value)


def test_arguments_are_told_apart_by_their_names():
    def function(lr, *, l2=0.0):
        return lr, l2

    check_arguments(function, 1.0, l2=0.1)
    check_arguments(function, 1.0, unknown=-1)  # which the call itself refuses
    with pytest.raises(ValueError, match="lr must be"):
        check_arguments(function, -1.0)
    with pytest.raises(ValueError, match="l2 must be"):
        check_arguments(function, 1.0, l2=-0.1)
