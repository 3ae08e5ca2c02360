"""Settings of a run: one flat dictionary, for the model's constructor and for ``fit``."""

import inspect
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything

from crane_pyg.choices import check_choice, options_of
from crane_pyg.nn.models import MODELS, Recommender
from crane_pyg.ranges import check_range
from crane_pyg.training import TrainingSettings, training_settings


def complete_settings(
    model: str, given: Mapping[str, Any] | None = None, preset: str | None = None
) -> dict[str, Any]:
    """All settings of a run: those given, over the model's preset, over its defaults of training.

    Raises:
        ValueError: if the model, the preset or a setting is unknown, of another type or out of
            range.

    Examples:
        >>> from crane_pyg.experiments import complete_settings
        >>> found = complete_settings("lightgcn", {"lr": 0.01, "num_layers": 1})
        >>> found["lr"], found["num_layers"], found["epochs"]
        (0.01, 1, 250)
    """
    check_settings(model, given or {})
    published: dict[str, Any] = {}
    if preset is not None:
        published = MODELS[model].preset(preset).model | MODELS[model].preset(preset).fit
    settings = published | dict(given or {})
    return training_settings(MODELS[model], **split_settings(settings)[1])._asdict() | settings


def check_settings(model: str, settings: Mapping[str, Any]) -> None:
    """Refuse a setting that neither the model nor ``fit`` has, of another type or out of range.

    Examples:
        >>> from crane_pyg.experiments import check_settings
        >>> check_settings("lightgcn", {"num_layers": 3})
        >>> check_settings("lightgcn", {"num_layers": "many"})
        Traceback (most recent call last):
        ValueError: num_layers of lightgcn must be int (got 'many')
    """
    check_choice("model", model, sorted(MODELS))
    known = _known(model)
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{model} has the settings {', '.join(sorted(known))} (got {name!r})")
        annotation = known[name].annotation
        if options_of(annotation):
            check_choice(f"{name} of {model}", value, annotation)
        elif not _fits(value, annotation):
            raise ValueError(f"{name} of {model} must be {_kind(annotation)} (got {value!r})")
        check_range(name, value, f"{name} of {model}")


def _known(model: str) -> dict[str, inspect.Parameter]:
    """Every setting by its name, with its type and default: the model's and those of ``fit``."""
    training = inspect.signature(TrainingSettings).parameters
    return MODELS[model].settings() | dict(training)


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value that JSON can hold is of this type."""
    if get_origin(annotation) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(annotation))
    if allowed := options_of(annotation):
        return value in allowed
    kind = list if get_origin(annotation) else annotation  # JSON knows only lists
    return type(value) is kind or (type(value) is int and kind is float)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_kind(part) for part in get_args(annotation))
    allowed = options_of(annotation)
    return " or ".join(map(repr, allowed)) or inspect.formatannotation(annotation)


def settings_with_defaults(model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting there is: those given over the defaults of the model and of ``fit``.

    Examples:
        >>> from crane_pyg.experiments import settings_with_defaults
        >>> found = settings_with_defaults("lightgcn", {"lr": 0.01})
        >>> found["lr"], found["num_layers"], found["epochs"]
        (0.01, 2, 250)
    """
    own = {name: parameter.default for name, parameter in _known(model).items()}
    training = training_settings(MODELS[model], **split_settings(settings)[1])._asdict()
    return own | training | dict(settings)


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the constructor and those of ``fit``.

    Examples:
        >>> from crane_pyg.experiments import split_settings
        >>> split_settings({"lr": 0.01, "num_layers": 1, "epochs": 20})
        ({'num_layers': 1}, {'lr': 0.01, 'epochs': 20})
    """
    training = TrainingSettings._fields
    own = {name: value for name, value in settings.items() if name not in training}
    return own, {name: value for name, value in settings.items() if name in training}


def construct_model(
    model: str, data: HeteroData, settings: Mapping[str, Any], seed: int
) -> Recommender:
    """The model as ``seed`` draws it; of ``settings``, those of ``fit`` are passed over.

    Raises:
        ValueError: if the model cannot be had with these settings, or not for this data.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.experiments import construct_model
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> construct_model("lightgcn", data, {"num_layers": 1, "lr": 0.01}, seed=9)
        LightGCN(300, 200, 64, num_layers=1)
    """
    seed_everything(seed)
    try:
        return MODELS[model].from_settings(data, **split_settings(settings)[0])
    except RuntimeError as error:  # torch's, of sizes that cannot be
        raise ValueError(f"{model} does not take these settings: {error}") from error
