from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crane_pyg.nn.objectives.bpr import BPRLoss
from crane_pyg.nn.objectives.contrastive import InfoNCE
from crane_pyg.nn.objectives.ranking import RankingLoss, Triplets
from crane_pyg.nn.objectives.regularisers import Regulariser


@dataclass(frozen=True)
class Objective:
    """The loss of a batch: a ranking term, and optionally a contrastive term and a regulariser.

    Args:
        ranking (RankingLoss): makes items that were taken score above others.
            (default: :class:`BPRLoss`)
        contrastive (InfoNCE, optional): brings views of the same nodes together.
        regulariser (Regulariser, optional): keeps embeddings small.
    """

    ranking: RankingLoss = BPRLoss()  # noqa: RUF009 (frozen, and without state)
    contrastive: InfoNCE | None = None
    regulariser: Regulariser | None = None

    def __call__(
        self,
        *batches: Triplets,
        views: Sequence[tuple[Tensor, Tensor]] = (),
        embeddings: Sequence[Tensor] = (),
        parameters: Iterable[Tensor] = (),
    ) -> dict[str, Tensor]:
        """The weighted terms of one batch by name; training minimises their sum.

        Args:
            *batches (Triplets): embeddings to rank by; of several the losses are added up.
            views: pairs of views that the contrastive term brings together, if there is one.
            embeddings: what a regulariser of the batch keeps small.
            parameters: what a regulariser of all parameters keeps small.

        Shapes:
            - **views:** ``[n, d]`` each; **embeddings:** ``[B, d]`` each
            - **output:** a number each
        """
        losses = [self.ranking(batch) for batch in batches]
        terms = {self.ranking.name: torch.stack(losses).sum()}
        if self.contrastive is not None and views:
            terms[self.contrastive.name] = self.contrastive(views)
        if self.regulariser is not None:
            terms[self.regulariser.name] = self.regulariser(embeddings, parameters)
        return terms
