from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.nn.objectives.losses import l2_of_batch, norm_of_batch

Regularised = Literal["batch", "all"]


@dataclass(frozen=True)
class Regulariser:
    """A term of the loss that keeps embeddings or parameters small.

    Args:
        weight: what the term counts in the whole loss.
    """

    name: ClassVar[str]
    weight: float

    def __call__(self, embeddings: Sequence[Tensor], parameters: Iterable[Tensor]) -> Tensor:
        """The weighted term.

        Args:
            embeddings: those of the batch's users, positive items and negative items.
            parameters: all parameters of the model.

        Shapes:
            - **embeddings:** ``[B, d]`` each
            - **output:** a number
        """
        raise NotImplementedError


@dataclass(frozen=True)
class L2(Regulariser):
    """Keeps squared norms small.

    Args:
        weight: what the term counts in the whole loss.
        of: ``'batch'``, half the squares of the batch's embeddings per row of the batch, or
            ``'all'``, the squares of all parameters. (default: ``'batch'``)

    Raises:
        ValueError: if ``of`` is neither.
    """

    name: ClassVar[str] = "l2"
    of: Regularised = "batch"

    def __post_init__(self) -> None:
        check_choice("of", self.of, Regularised)

    def __call__(self, embeddings: Sequence[Tensor], parameters: Iterable[Tensor]) -> Tensor:
        if self.of == "all":
            return self.weight * torch.stack([p.square().sum() for p in parameters]).sum()
        return self.weight * l2_of_batch(*embeddings)


@dataclass(frozen=True)
class Norm(Regulariser):
    """Keeps the norms, not squared, of the whole batch's embeddings small, as MMRec does.

    Args:
        weight: what the term counts in the whole loss.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import Norm
        >>> Norm(weight=0.1)([torch.ones(4, 4), torch.ones(4, 4)], parameters=[])
        tensor(0.2000)
    """

    name: ClassVar[str] = "norm"

    def __call__(self, embeddings: Sequence[Tensor], parameters: Iterable[Tensor]) -> Tensor:
        return self.weight * norm_of_batch(*embeddings)


@dataclass(frozen=True)
class MeanSquare(Regulariser):
    """Keeps the mean square of each embedding's entries small, summed over the embeddings.

    Args:
        weight: what the term counts in the whole loss.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import MeanSquare
        >>> MeanSquare(weight=0.1)([torch.ones(4, 8), 2 * torch.ones(4, 8)], parameters=[])
        tensor(0.5000)
    """

    name: ClassVar[str] = "l2"

    def __call__(self, embeddings: Sequence[Tensor], parameters: Iterable[Tensor]) -> Tensor:
        return self.weight * torch.stack([x.square().mean() for x in embeddings]).sum()
