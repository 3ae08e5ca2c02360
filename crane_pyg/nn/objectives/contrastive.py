from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from crane_pyg.choices import check_choice
from crane_pyg.nn.objectives.losses import Reduction, info_nce_loss


@dataclass(frozen=True)
class InfoNCE:
    """Brings two views of the same nodes together, see
    :func:`~crane_pyg.nn.objectives.info_nce_loss`.

    Args:
        weight: what the term counts in the whole loss.
        temperature: what the cosines are divided by. (default: ``0.2``)
        reduction: ``'mean'`` or ``'sum'`` over the nodes. (default: ``'mean'``)

    Raises:
        ValueError: if the temperature is not positive or the reduction is unknown.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import InfoNCE
        >>> view = torch.randn(4, 8)
        >>> contrastive = InfoNCE(weight=0.1, temperature=0.5)
        >>> bool(contrastive([(view, view)]) < contrastive([(view, view.flip(0))]))
        True
    """

    name: ClassVar[str] = "contrastive"
    weight: float
    temperature: float = 0.2
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, Reduction)
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive (got {self.temperature})")

    def __call__(self, views: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The weighted loss, summed over pairs of views.

        Args:
            views: pairs of views; row i of both is the same node, and no node stands twice.

        Shapes:
            - **views:** ``[n, d]`` each
            - **output:** a number
        """
        losses = [
            info_nce_loss(x, y, temperature=self.temperature, reduction=self.reduction)
            for x, y in views
        ]
        return self.weight * torch.stack(losses).sum()
