"""Trained weights on disk, as safetensors."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch_geometric.data import HeteroData

from crane_pyg.choices import check_choice
from crane_pyg.files import write_atomically
from crane_pyg.limits import parse_json
from crane_pyg.nn.models import MODELS, Recommender


def save_model(model: Recommender, name: str, settings: dict[str, Any], path: Path | str) -> None:
    """Write the weights as safetensors, with what :func:`load_model` needs to build the model.

    Args:
        model: trained.
        name: its key in :data:`~crane_pyg.nn.models.MODELS`.
        settings: the arguments it was constructed with, beside the sizes.
        path: file to write.
    """
    metadata = {"model": name, "settings": json.dumps(settings | dict(model.resolved))}
    content = save(model.state_dict(), metadata)  # save_file would make it the writer's alone
    write_atomically(path, lambda aside: aside.write_bytes(content))


def load_model(path: Path | str, data: HeteroData) -> Recommender:
    """The model that :func:`save_model` wrote, in evaluation mode.

    Args:
        path: the file.
        data: the graph that it was trained on.

    Raises:
        ValueError: if the file is not one of ours, or ``data`` has other sizes.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    check_choice(f"the model of {path}", metadata.get("model"), sorted(MODELS))
    settings = parse_json(metadata.get("settings", ""), f"the settings of '{path}'")
    try:
        model = MODELS[metadata["model"]].skeleton(data, **settings)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{path} has settings that its model does not take: {error}") from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} was trained on other data: {error}") from error
    return model.eval()
