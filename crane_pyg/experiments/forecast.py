"""How long many runs will take, said before they start and after each."""

import statistics
from collections.abc import Sequence

from tqdm import tqdm


class Forecast:
    """What is left to train, judged by what was.

    A label that was not timed yet is taken to last as long as the others did on average.

    Args:
        labels: of the runs to come, in their order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self.seconds: dict[str, list[float]] = {}

    def announce(self, total: int, epochs: int) -> str:
        """Say what is about to begin, and what would make it shorter.

        Args:
            total: how many runs there are, those included that are done.
            epochs: the most that one of them may train.
        """
        done = total - len(self.labels)
        return (
            f"{total} runs of at most {epochs} epochs{f', {done} of them done' * bool(done)}; "
            f"fewer models, seeds or epochs, or less patience, make it shorter"
        )

    def begin(self, label: str) -> None:
        """Take a run, which begins now, off those to come."""
        if label in self.labels:
            self.labels.remove(label)

    def note(self, label: str, seconds: float) -> str:
        """Take the time of a run that has ended; say what is left."""
        self.seconds.setdefault(label, []).append(seconds)
        took = f"took {tqdm.format_interval(seconds)}"
        if not self.labels:
            return took
        left = tqdm.format_interval(self.left())
        return f"{took}; about {left} left for the other {len(self.labels)}"

    def left(self) -> float:
        """Seconds that the runs to come will take; needs one that has ended."""
        means = {label: statistics.mean(seconds) for label, seconds in self.seconds.items()}
        other = statistics.mean(means.values())
        return sum(means.get(label, other) for label in self.labels)
