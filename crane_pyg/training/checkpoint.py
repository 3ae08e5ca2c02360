"""State of a training run on disk, complete at every moment."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crane_pyg import ranks
from crane_pyg.nn.models import Recommender
from crane_pyg.seals import check_stream_seal, write_stream_sealed
from crane_pyg.training.averaging import AveragedWeights
from crane_pyg.training.division import (
    own_optimizer_state,
    own_state,
    whole_optimizer_state,
    whole_state,
)
from crane_pyg.training.identity import differences
from crane_pyg.training.result import FitResult


class Checkpoint:
    """A file that a killed run resumes from: weights, optimiser, random states, history.

    It ends with a checksum, behind what ``torch.load`` reads. Of several ranks the first writes it,
    with all columns; any number of them goes on from it, each of which reads it.

    Args:
        path: where the file lies, or is to lie.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def save(
        self,
        model: Recommender,
        optimizer: torch.optim.Optimizer | None,
        average: AveragedWeights | None,
        generator: torch.Generator,
        result: FitResult,
        identity: dict[str, Any],
        best_state: dict[str, Tensor],
    ) -> None:
        """Replace the file by the state after an epoch.

        Args:
            model: the model after the epoch.
            optimizer: the optimiser after the epoch; ``None`` where there is none.
            average: of the weights; likewise.
            generator: the sampler's source of randomness.
            result: history of the epochs so far.
            identity: what a run that resumes must share.
            best_state: the weights of the best epoch so far.
        """
        state = {
            "model": whole_state(model, model.state_dict()),
            "optimizer": optimizer and whole_optimizer_state(model, optimizer),
            "average": average and whole_state(model, average.values),
            "averaged": average and average.steps,
            "device": generator.device.type,
            "sampler_rng": generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if generator.device.type == "cuda" else None,
            "result": vars(result),
            "identity": identity,
            "best": whole_state(model, best_state),
        }
        if ranks.is_first():
            write_stream_sealed(self.path, lambda file: torch.save(state, file))
        ranks.barrier()

    def load(
        self,
        model: Recommender,
        optimizer: torch.optim.Optimizer | None,
        average: AveragedWeights | None,
        generator: torch.Generator,
        result: FitResult,
        identity: dict[str, Any],
    ) -> dict[str, Tensor]:
        """Restore everything in place.

        Args:
            model, optimizer, average, generator, result: as :meth:`save` takes them; overwritten.
            identity: that of the run that resumes; among it ``seed``.

        Returns:
            the weights of the best epoch so far.

        Raises:
            DamagedFileError: if the file is not what was written.
            ValueError: if it belongs to a run of another identity, or to a model of other sizes.
        """
        check_stream_seal(self.path)
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        if differing := differences(state["identity"], identity):
            raise ValueError(
                f"'{self.path}' belongs to another run; remove it to start anew, or choose another "
                f"place (got, as saved and now: {differing})"
            )
        try:
            model.load_state_dict(own_state(model, state["model"]))
        except RuntimeError as error:
            raise ValueError(f"'{self.path}' belongs to another model: {error}") from error
        if optimizer is not None:
            optimizer.load_state_dict(own_optimizer_state(model, optimizer, state["optimizer"]))
        if average is not None:
            average.load(own_state(model, state["average"]), state["averaged"])
        vars(result).update(state["result"])
        torch.set_rng_state(state["torch_rng"])
        if state["device"] == generator.device.type:
            generator.set_state(state["sampler_rng"])
            if state["cuda_rng"] is not None:
                torch.cuda.set_rng_state(state["cuda_rng"])
        else:  # one device's generator cannot go on where another's stopped
            generator.manual_seed(identity["seed"] + len(result.history))
        return own_state(model, state["best"])
