"""State of a training run on disk, complete at every moment."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crane_pyg.files import write_atomically
from crane_pyg.training.result import FitResult


class Checkpoint:
    """A file that a killed run resumes from: weights, optimiser, random states, history.

    Args:
        path: where the file lies, or is to lie.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def save(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
        generator: torch.Generator,
        result: FitResult,
        settings: dict[str, Any],
        best_state: dict[str, Tensor],
    ) -> None:
        """Replace the file by the state after an epoch.

        Args:
            model: the model after the epoch.
            optimizer: the optimiser after the epoch; ``None`` where there is none.
            generator: the sampler's source of randomness.
            result: history of the epochs so far.
            settings: those of training that a run which resumes must share.
            best_state: the weights of the best epoch so far.
        """
        state = {
            "model": model.state_dict(),
            "optimizer": None if optimizer is None else optimizer.state_dict(),
            "device": generator.device.type,
            "sampler_rng": generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if generator.device.type == "cuda" else None,
            "result": vars(result),
            "settings": settings,
            "best": best_state,
        }
        write_atomically(self.path, lambda aside: torch.save(state, aside))

    def load(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None,
        generator: torch.Generator,
        result: FitResult,
        settings: dict[str, Any],
    ) -> dict[str, Tensor]:
        """Restore everything in place.

        Args:
            model, optimizer, generator, result: as :meth:`save` takes them; overwritten.
            settings: those of the run that resumes.

        Returns:
            the weights of the best epoch so far.

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
        if optimizer is not None:
            optimizer.load_state_dict(state["optimizer"])
        vars(result).update(state["result"])
        torch.set_rng_state(state["torch_rng"])
        if state["device"] == generator.device.type:
            generator.set_state(state["sampler_rng"])
            if state["cuda_rng"] is not None:
                torch.cuda.set_rng_state(state["cuda_rng"])
        else:  # one device's generator cannot go on where another's stopped
            generator.manual_seed(settings["seed"] + len(result.history))
        return state["best"]
