"""Trained weights on disk, as safetensors."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch_geometric.data import HeteroData

from crane_pyg import ranks
from crane_pyg.choices import check_choice
from crane_pyg.limits import parse_json
from crane_pyg.nn.models import MODELS, Recommender
from crane_pyg.seals import BLANK, read_sealed, write_sealed
from crane_pyg.training.division import whole_state


def save_model(model: Recommender, name: str, settings: dict[str, Any], path: Path | str) -> None:
    """Write the weights as safetensors, with what :func:`load_model` needs to build the model.

    The metadata hold a checksum, too; whatever reads safetensors reads the file. Of several ranks
    all call this, and the first writes.

    Args:
        model: trained.
        name: its key in :data:`~crane_pyg.nn.models.MODELS`.
        settings: the arguments it was constructed with, beside the sizes.
        path: file to write.
    """
    everything = json.dumps(settings | dict(model.resolved))
    metadata = {"model": name, "settings": everything, "checksum": BLANK}
    state = whole_state(model, model.state_dict())
    if ranks.is_first():
        write_sealed(path, save(state, metadata))
    ranks.barrier()


def load_model(path: Path | str, data: HeteroData) -> Recommender:
    """The model that :func:`save_model` wrote, in evaluation mode.

    Args:
        path: the file.
        data: the graph that it was trained on.

    Raises:
        DamagedFileError: if the file is not what was written.
        ValueError: if the file is not one of ours, was written by a version whose model has other
            parts, or ``data`` has other sizes.
    """
    name, settings, state = _read(path)
    try:
        model = MODELS[name].skeleton(data, **settings)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{path} has settings that its model does not take: {error}") from error
    if differing := sorted(state.keys() ^ model.state_dict().keys()):
        raise ValueError(
            f"{path} must hold the parts that {model.__class__.__name__} has in this version: "
            f"train it anew (got a difference in {', '.join(differing[:3])})"
        )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} was trained on other data: {error}") from error
    return model.eval()


def skeleton_like(path: Path | str, data: HeteroData) -> tuple[Recommender, dict[str, Any]]:
    """A model of the kind and settings of one that :func:`save_model` wrote, for other data, whose
    weights are about to be set; and the settings.

    Args:
        path: the file.
        data: the graph that it is for.

    Raises:
        DamagedFileError: if the file is not what was written.
        ValueError: if the file is not one of ours.
    """
    name, settings, _ = _read(path)
    return MODELS[name].skeleton(data, **settings), settings


def _read(path: Path | str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The name of the model, its settings and its weights."""
    content = read_sealed(path)
    try:
        state = load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    check_choice(f"the model of {path}", metadata.get("model"), sorted(MODELS))
    settings = parse_json(metadata.get("settings", ""), f"the settings of '{path}'")
    return metadata["model"], settings, state
