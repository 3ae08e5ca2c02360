"""What a training run leaves behind."""

from dataclasses import dataclass, field

import pandas as pd

from crane_pyg.training.defaults import TRAINING_DEFAULTS


@dataclass
class FitResult:
    """What :func:`~crane_pyg.training.fit` leaves behind, beside the trained model.

    Attributes:
        monitor: the name of the validation score that chose the best epoch.
        history: one row per epoch: its number, each loss term (mean over batches), training
            seconds and validation scores (absent where the epoch was not evaluated).
        best_epoch: the epoch whose weights the model holds, from 1.
        best_score: its validation score, with what the model chose after training.
        peak_memory_mb: peak memory of the process on a CPU, of torch's allocator on CUDA.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import fit
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> result = fit(LightGCN.from_data(data), data, epochs=3)
        >>> result.epochs, 1 <= result.best_epoch <= 3
        (3, True)
        >>> result.to_frame()[["loss", "Recall@20"]].shape
        (3, 2)
    """

    monitor: str = TRAINING_DEFAULTS.monitor
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    peak_memory_mb: float = 0.0

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history)

    @property
    def evaluations_since_best(self) -> int:
        """How many evaluations in a row gave no better score."""
        return sum(self.monitor in row for row in self.history[self.best_epoch :])

    def begins(self, epochs: int, patience: int, eval_every: int) -> bool:
        """Whether a training of this length comes to the same best epoch, of those trained so far.

        Args:
            epochs, patience, eval_every: as :func:`~crane_pyg.training.fit` takes them.
        """
        best, best_score, since = 0, -1.0, 0
        for epoch, row in enumerate(self.history[:epochs], start=1):
            due = epoch % eval_every == 0 or epoch == epochs
            if due != (self.monitor in row):
                return False  # the last epoch of a shorter training is evaluated out of turn
            if due:
                since += 1
                if row[self.monitor] > best_score:
                    best, best_score, since = epoch, row[self.monitor], 0
            if since >= patience:
                break
        return best == self.best_epoch

    @property
    def seconds_per_epoch(self) -> float:
        """Median training time of an epoch, evaluation left out."""
        return float(self.to_frame()["seconds"].median())

    def summary(self) -> dict[str, float]:
        """How long it took, which epoch was best and what it cost, as files of runs have it."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "seconds_per_epoch": self.seconds_per_epoch,
            "peak_memory_mb": self.peak_memory_mb,
        }

    def to_frame(self) -> pd.DataFrame:
        """The history as a table indexed by epoch; ``result.to_frame().plot()`` draws it."""
        return pd.DataFrame(self.history).set_index("epoch")
