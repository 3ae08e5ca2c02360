from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.nn.objectives.ranking import Similarity, Triplets
from crane_pyg.ops import distinct, unit_rows

Negatives = Literal["shared", "batch", "row"]


class Compared(NamedTuple):
    """How similar each row's user is to their positive, and to the items it is compared with.

    Shapes:
        - **pos:** ``[B]``
        - **neg:** ``[B, c]``
        - **hidden:** ``[B, c]``, bool: the item is no negative of this row
        - **times:** ``[c]``, how often the item stands among those that were drawn
    """

    pos: Tensor
    neg: Tensor
    hidden: Tensor
    times: Tensor


def compare(batch: Triplets, negatives: Negatives, similarity: Similarity) -> Compared:
    """Similarities of a batch's users to their positives and negatives.

    An item that is the row's own positive is hidden from it. What the user took beside is not, for
    a batch cannot know it: the sampler keeps it from the row that a negative is drawn for, not from
    the rows that share it.

    Args:
        batch (Triplets): embeddings and ids; equal ids have equal embeddings.
        negatives: ``'shared'``, the distinct ones drawn in the batch, all for every row;
            ``'batch'``, the distinct positives of the other rows; ``'row'``, those drawn for the
            row, as often as they were drawn.
        similarity: ``'inner'`` or ``'cosine'``; a row of zeros has cosine 0 to everything, and
            a gradient of zero.
    """
    user, item = batch.user, batch.item
    if similarity == "cosine":
        user, item = unit_rows(user), unit_rows(item.flatten(0, 1)).view(item.shape)
    pos, pos_id = (user * item[0]).sum(-1), batch.item_id[0]
    if negatives == "row":
        neg = (user * item[1:]).sum(-1).T
        hidden = (batch.item_id[1:] == pos_id).T
        return Compared(pos, neg, hidden, torch.ones_like(hidden[:1].sum(0)))
    drawn = slice(1, None) if negatives == "shared" else slice(0, 1)
    ids, place = distinct(batch.item_id[drawn].flatten())
    # The result of distinct may be longer than there are distinct entries: no place leads to the
    # rest. Of equal rows the first stands for all.
    times = torch.zeros_like(ids).scatter_add_(0, place, torch.ones_like(place))
    rows = torch.arange(place.numel(), device=place.device)
    first = torch.full_like(ids, place.numel()).scatter_reduce_(0, place, rows, "amin")
    first = first.clamp(max=max(0, place.numel() - 1))
    neg = user @ F.embedding(first, item[drawn].flatten(0, 1)).T
    return Compared(pos, neg, (pos_id.unsqueeze(1) == ids) | (times == 0), times)
