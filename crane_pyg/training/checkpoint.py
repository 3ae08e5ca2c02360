"""State of a training run on disk, complete at every moment."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.files import write_atomically
from crane_pyg.nn.models import MODELS, Recommender

if TYPE_CHECKING:
    from crane_pyg.training.loop import FitResult


class Checkpoint:
    """A file that a killed run resumes from: weights, optimiser, random states, history."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def save(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        result: "FitResult",
        settings: dict[str, Any],
        best_state: dict[str, Tensor],
    ) -> None:
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "sampler_rng": generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if generator.device.type == "cuda" else [],
            "result": vars(result),
            "settings": settings,
            "best": best_state,
        }
        write_atomically(self.path, lambda aside: torch.save(state, aside))

    def load(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        result: "FitResult",
        settings: dict[str, Any],
    ) -> dict[str, Tensor]:
        """Restore everything in place; the weights of the best epoch so far are returned.

        Raises:
            ValueError: if the file was written with other settings or for another model.
        """
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        differing = {
            name: (state["settings"].get(name), value)
            for name, value in settings.items()
            if state["settings"].get(name) != value
        }
        if differing:
            raise ValueError(
                f"{self.path} belongs to a run with other settings; remove it to start anew "
                f"(got, as saved and now: {differing})"
            )
        try:
            model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ValueError(f"{self.path} belongs to another model: {error}") from error
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["sampler_rng"])
        torch.set_rng_state(state["torch_rng"])
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        vars(result).update(state["result"])
        return state["best"]


def save_model(model: Recommender, name: str, settings: dict[str, Any], path: Path | str) -> None:
    """Write the weights as safetensors, with what :func:`load_model` needs to build the model.

    Args:
        model: trained.
        name: its key in :data:`~crane_pyg.nn.models.MODELS`.
        settings: the arguments it was constructed with, beside the sizes.
        path: file to write.
    """
    metadata = {"model": name, "settings": json.dumps(settings)}
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
    if metadata.get("model") not in MODELS:
        raise ValueError(
            f"{path} must name one of {sorted(MODELS)} (got {metadata.get('model')!r})"
        )
    model = MODELS[metadata["model"]].skeleton(data, **json.loads(metadata["settings"]))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} was trained on other data: {error}") from error
    return model.eval()
