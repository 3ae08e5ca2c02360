"""TensorBoard: curves from files in a folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane_pyg.training.trackers.base import Tracker


class TensorBoardTracker(Tracker):
    """Writes ``FOLDER/tensorboard``, or into ``runs`` as TensorBoard itself does.

    See it with ``tensorboard --logdir FOLDER``. Of a run that goes on, what an earlier process
    wrote there is replaced.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], folder: Path | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        place = Path("runs", name) if folder is None else folder / "tensorboard"
        self.writer = SummaryWriter(place, purge_step=0)
        self.writer.add_text("settings", f"```json\n{json.dumps(dict(settings), indent=2)}\n```")
        self.epoch = 0

    def log(self, numbers: Mapping[str, float], epoch: int) -> None:
        """Add a point to each curve."""
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, epoch)
        self.epoch = epoch
        self.writer.flush()

    def finish(self, scores: Mapping[str, float]) -> None:
        """Add the test's scores, at the last epoch."""
        for name, value in scores.items():
            self.writer.add_scalar(f"test/{name}", value, self.epoch)

    def close(self, *, failed: bool) -> None:
        """Close the files."""
        self.writer.close()
