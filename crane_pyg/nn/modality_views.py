from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class ModalityViews(NamedTuple):
    """What MGCN and SMORE know of some users or items before they fuse it: an embedding from the
    user-item graph, and one from each item-item graph.

    Shapes:
        - **content:** ``[n, d]``
        - **views:** ``[n, V, d]``
        - **known:** ``[n, K]`` bool, the modalities that they have
    """

    content: Tensor
    views: Tensor
    known: Tensor

    def rows(self, index: Tensor) -> "ModalityViews":
        """Those of some of the users or items.

        Args:
            index (Tensor): which, ``[B]``.
        """
        # The gradient of F.embedding sums repeated rows faster than that of indexing.
        views = F.embedding(index, self.views.flatten(1)).view(-1, *self.views.shape[1:])
        return ModalityViews(F.embedding(index, self.content), views, self.known[index])
