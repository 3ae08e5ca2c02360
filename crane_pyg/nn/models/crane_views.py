from typing import NamedTuple

import torch
from torch import Tensor


class Views(NamedTuple):
    """Collaborative and semantic embeddings of CRANE.

    Shapes:
        - **e_user**, **h_user:** ``[M, d]``
        - **e_item**, **h_item:** ``[N, d]``
    """

    e_user: Tensor
    h_user: Tensor
    e_item: Tensor
    h_item: Tensor

    def ranked(self, apart: bool) -> list[tuple[Tensor, Tensor]]:
        r"""Users and items by which pairs are ranked: :math:`\mathbf{z} = \mathbf{e} + \mathbf{h}`
        (eq. 17), or each view by itself where both are trained apart."""
        if apart:
            return [(self.e_user, self.e_item), (self.h_user, self.h_item)]
        return [(self.e_user + self.h_user, self.e_item + self.h_item)]

    def contrasted(self, item: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What eq. 19 brings together: all users, and the distinct ones of some items."""
        item = torch.unique(item)
        pair = self.e_item.index_select(0, item), self.h_item.index_select(0, item)
        return [(self.e_user, self.h_user), pair]
