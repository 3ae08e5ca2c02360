"""Settings of a run: one flat dictionary, for the model's constructor and for ``fit``."""

import inspect
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from torch_geometric.data import HeteroData
from torch_geometric.seed import seed_everything

from crane_pyg.choices import options_of
from crane_pyg.nn.models import MODELS, Recommender
from crane_pyg.training import TRAINING_DEFAULTS, TrainingSettings


def complete_settings(
    model: str, given: Mapping[str, Any] | None = None, preset: str | None = None
) -> dict[str, Any]:
    """All settings of a run: those given, over the model's preset, over the training's defaults.

    Raises:
        ValueError: if the model, the preset or a setting is unknown, or of another type.
    """
    check_settings(model, given or {})
    published: dict[str, Any] = {}
    if preset is not None:
        published = MODELS[model].preset(preset).model | MODELS[model].preset(preset).fit
    return TRAINING_DEFAULTS._asdict() | published | dict(given or {})


def check_settings(model: str, settings: Mapping[str, Any]) -> None:
    """Refuse a setting that neither the model nor ``fit`` has, or of another type."""
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(sorted(MODELS))} (got {model!r})")
    known = _known(model)
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{model} has the settings {', '.join(sorted(known))} (got {name!r})")
        if not _fits(value, known[name]):
            kind = inspect.formatannotation(known[name])
            raise ValueError(f"{name} of {model} must be {kind} (got {value!r})")


def _known(model: str) -> dict[str, Any]:
    """The annotation of every setting by its name."""
    functions = (MODELS[model], MODELS[model].from_data)
    own = {
        name: parameter.annotation
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("num_users", "num_items", "modalities", "data", "kwargs")
    }
    return own | TrainingSettings.__annotations__


def _fits(value: Any, annotation: Any) -> bool:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    choices = [kind for kind in kinds if get_origin(kind) is Literal]
    if any(value in options_of(kind) for kind in choices):
        return True
    kinds = tuple(list if get_origin(kind) else kind for kind in kinds if kind not in choices)
    return type(value) in kinds or (type(value) is int and float in kinds)  # JSON has only lists


def settings_with_defaults(model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting there is: those given over the defaults of the constructor and of ``fit``."""
    known = _known(model)
    defaults = {
        name: parameter.default
        for function in (MODELS[model], MODELS[model].from_data)
        for name, parameter in inspect.signature(function).parameters.items()
        if name in known and parameter.default is not parameter.empty
    }
    return TRAINING_DEFAULTS._asdict() | defaults | dict(settings)


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the constructor and those of ``fit``."""
    training = TrainingSettings._fields
    own = {name: value for name, value in settings.items() if name not in training}
    return own, {name: value for name, value in settings.items() if name in training}


def construct_model(
    model: str, data: HeteroData, settings: Mapping[str, Any], seed: int
) -> Recommender:
    """The model as ``seed`` draws it; of ``settings``, those of ``fit`` are passed over.

    Raises:
        ValueError: if the model cannot be had with these settings, or not for this data.
    """
    seed_everything(seed)
    try:
        return MODELS[model].from_data(data, **split_settings(settings)[0])
    except RuntimeError as error:  # torch's, of sizes that cannot be
        raise ValueError(f"{model} does not take these settings: {error}") from error
