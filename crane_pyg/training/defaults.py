"""The settings of training and their defaults.

:func:`~crane_pyg.training.fit`, the command line and the benchmarks all read this one table.
"""

from typing import Any, Literal, NamedTuple

from crane_pyg.nn.models import Recommender
from crane_pyg.training.evaluation import Monitor

Precision = Literal["float32", "bfloat16"]


class TrainingSettings(NamedTuple):
    """How a model is trained; the same for every model.

    Attributes:
        epochs: upper limit.
        batch_size: interactions per step; users, for a model that reads their whole histories.
        steps_per_epoch: the most steps of an epoch; where there would be more, the batch grows, and
            the learning rate with it, see :func:`~crane_pyg.training.steps.plan_steps`. ``None``
            sets no limit.
        lr: Adam's learning rate.
        decay_epochs: over how many epochs the learning rate falls to a tenth, where it stays, see
            :class:`~crane_pyg.training.steps.Schedule`; 0 leaves it.
        patience: evaluations without a better score before training stops.
        eval_every: epochs between evaluations; the last epoch is always evaluated.
        monitor: the validation score to choose the best epoch by; ``'GMean@20'`` is the geometric
            mean of Recall and NDCG.
        eval_users: of more users with validation items so many are ranked, always the same ones,
            see :func:`~crane_pyg.training.evaluate`. ``None`` ranks all.
        average_epochs: over how many epochs of steps the weights are averaged that are validated
            and kept; 0 keeps the last.
        precision: in which the loss multiplies matrices and reads neighbours;
            ``"bfloat16"`` under ``torch.autocast``, with weights and sums in single precision.

    Examples:
        >>> from crane_pyg.training import TRAINING_DEFAULTS, TrainingSettings
        >>> quick = TrainingSettings(epochs=20, patience=5)
        >>> quick.lr == TRAINING_DEFAULTS.lr
        True
    """

    epochs: int = 250
    batch_size: int = 1024
    steps_per_epoch: int | None = 128
    lr: float = 1e-3
    decay_epochs: float = 0.0
    patience: int = 20  # with 10 some seeds stop too early: see benchmarks/results
    eval_every: int = 1
    monitor: Monitor = "Recall@20"
    eval_users: int | None = None
    average_epochs: float = 0.0
    precision: Precision = "float32"


TRAINING_DEFAULTS = TrainingSettings()


def training_settings(model: Recommender | type[Recommender], **given: Any) -> TrainingSettings:
    """How a model is trained: as given, else as the model has it, else as all have it.

    Who gives ``batch_size`` alone gets it, however large the data are: without a limit of the
    steps.

    Args:
        model: the model or its class.
        **given: fields of :class:`TrainingSettings`; ``None`` counts as not given.

    Examples:
        >>> from crane_pyg.nn.models import LightGCN
        >>> from crane_pyg.training import training_settings
        >>> chosen = training_settings(LightGCN, batch_size=256, lr=None)
        >>> chosen.batch_size, chosen.steps_per_epoch, chosen.lr
        (256, None, 0.001)
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if "batch_size" in chosen:
        chosen.setdefault("steps_per_epoch", None)
    return TRAINING_DEFAULTS._replace(**{**model.fit_defaults, **chosen})
