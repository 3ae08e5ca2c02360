"""How far a training is, for a person who waits."""

import sys
import time
from types import TracebackType

from tqdm.auto import tqdm
from tqdm.notebook import tqdm_notebook

from crane_pyg.training.result import FitResult


class Progress:
    """A bar on a terminal and in a notebook; elsewhere, on standard error, a line for each epoch.

    What an epoch takes is measured with its validation, and what is left is a bound: training may
    stop early.

    Args:
        result: of the training; its history grows.
        epochs: the most that it may come to.
        shown: whether to show anything.
    """

    def __init__(self, result: FitResult, epochs: int, *, shown: bool) -> None:
        self.result, self.epochs = result, epochs
        has_bar = sys.stderr.isatty() or issubclass(tqdm, tqdm_notebook)
        self.writes_lines = shown and not has_bar
        self.shown, self.first = shown, result.epochs
        self.start = time.perf_counter()
        self.bar = tqdm(
            total=epochs, initial=self.first, disable=not (shown and has_bar), unit="epoch"
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()

    def update(self) -> None:
        """Show the epoch that the history ends with."""
        scores = {"loss": self.result.history[-1].get("loss", 0.0)}
        scores[f"best {self.result.monitor}"] = self.result.best_score
        self.bar.set_postfix({name: f"{value:.4f}" for name, value in scores.items()}, False)
        self.bar.update()
        if self.writes_lines:
            print(self._line(), file=sys.stderr, flush=True)

    def tell_chosen(self, score: float) -> None:
        """Say, after the last epoch, that the best score is no longer that of an epoch.

        Args:
            score: with what the model chose after training.
        """
        if self.shown:
            before, name = self.result.best_score, self.result.monitor
            text = (
                f"{name} {score:.4f} with what the model chose after training, {before:.4f} without"
            )
            print(text, file=sys.stderr, flush=True)

    def _line(self) -> str:
        row, result = self.result.history[-1], self.result
        each = (time.perf_counter() - self.start) / (result.epochs - self.first)
        parts = [f"{name} {row[name]:.4f}" for name in ("loss", result.monitor) if name in row]
        if result.best_epoch:
            parts.append(f"best {result.best_score:.4f} in epoch {result.best_epoch}")
        parts.append(f"{each:.2f} s an epoch")
        if left := self.epochs - result.epochs:
            parts.append(f"at most {tqdm.format_interval(left * each)} left")
        return f"epoch {result.epochs} of {self.epochs}: {', '.join(parts)}"
