from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from crane_pyg.nn.objectives.ranking import Similarity, Triplets
from crane_pyg.ops import distinct, unit_rows

Negatives = Literal["shared", "batch", "row"]

MAX_NEGATIVES = 1024
"""How many of a batch's negatives all rows share, where nothing else is said."""

_CHUNK = 1 << 22  # similarities held at a time, 16 MB: more of them at once are no faster


class Compared(NamedTuple):
    """How similar each row's user is to their positive, and to the items it is compared with.

    Shapes:
        - **pos:** ``[B]``
        - **neg:** ``[B, c]``
        - **hidden:** ``[B, c]``, bool: the item is no negative of this row
        - **times:** ``[c]``, how often the item stands among those that were drawn

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import Compared
        >>> pos, neg = torch.tensor([0.9, 0.4]), torch.tensor([[0.1, 0.2], [0.6, 0.4]])
        >>> found = Compared(pos, neg, neg == 0.4, times=torch.ones(2))
        >>> (found.neg > found.pos.unsqueeze(1)) & ~found.hidden  # what stands before the positive
        tensor([[False, False],
                [ True, False]])
    """

    pos: Tensor
    neg: Tensor
    hidden: Tensor
    times: Tensor


def cost_of_rows(
    batch: Triplets,
    negatives: Negatives,
    max_negatives: int,
    similarity: Similarity,
    cost: Callable[[Compared], Tensor],
) -> Tensor:
    """What each row of a batch costs, from the similarities that :func:`compare` gives.

    A batch of :math:`B` rows with :math:`c` shared negatives has :math:`B c` similarities. Of a
    large one they are computed for some rows at a time, and again in the backward pass, so that
    memory grows with :math:`B` alone.

    Args:
        batch, negatives, max_negatives, similarity: as :func:`compare` takes them.
        cost: from the similarities of some rows to what each of them costs.

    Shapes:
        - **output:** ``[B]``
    """
    count = min(batch.item_id[0].numel(), max_negatives)
    step = max(1, _CHUNK // max(1, count))
    if negatives == "row" or batch.user_id.numel() <= step:
        return cost(compare(batch, negatives, similarity, max_negatives))
    user, item = _comparable(batch, similarity)
    pool = _pool(batch, item, negatives, max_negatives)

    def part(user: Tensor, pos: Tensor, pos_id: Tensor) -> Tensor:
        return cost(pool(user, pos, pos_id))

    rows = zip(*(torch.split(x, step) for x in (user, item[0], batch.item_id[0])), strict=True)
    parts = [checkpoint(part, *x, use_reentrant=False, preserve_rng_state=False) for x in rows]
    return torch.cat(parts)


def compare(
    batch: Triplets,
    negatives: Negatives,
    similarity: Similarity,
    max_negatives: int = MAX_NEGATIVES,
) -> Compared:
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
        max_negatives (int): of what is shared, so many of the first drawn count, so that a large
            batch does not cost its square; they are a sample like the others. (default: ``1024``)

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.objectives import Triplets, compare
        >>> item_id = torch.tensor([[7, 8], [9, 7]])  # positives, negatives
        >>> batch = Triplets(torch.eye(2), torch.ones(2, 2, 2), torch.tensor([0, 1]), item_id)
        >>> found = compare(batch, "shared", "cosine")
        >>> found.pos.shape, found.neg.shape
        (torch.Size([2]), torch.Size([2, 2]))
        >>> found.hidden  # 7 is no negative of the row whose positive it is
        tensor([[ True, False],
                [False, False]])
    """
    user, item = _comparable(batch, similarity)
    pos_id = batch.item_id[0]
    if negatives != "row":
        return _pool(batch, item, negatives, max_negatives)(user, item[0], pos_id)
    neg = (user * item[1:]).sum(-1).T
    hidden = (batch.item_id[1:] == pos_id).T
    return Compared((user * item[0]).sum(-1), neg, hidden, torch.ones_like(hidden[:1].sum(0)))


class _Pool(NamedTuple):
    """Negatives that all rows share; where ``times`` is zero there is none, and such are the last.

    Shapes:
        - **item:** ``[c, d]``, **ids**, **times:** ``[c]``; ids ascend
    """

    item: Tensor
    ids: Tensor
    times: Tensor

    def __call__(self, user: Tensor, pos: Tensor, pos_id: Tensor) -> Compared:
        neg, lacking = user @ self.item.T, self.times == 0
        hidden = lacking.repeat(pos_id.numel(), 1)
        if self.ids.numel():  # each row meets its positive at one place at most
            place = torch.searchsorted(self.ids, pos_id).clamp_(max=self.ids.numel() - 1)
            own = lacking[place] | (self.ids[place] == pos_id)
            hidden.scatter_(1, place.unsqueeze(1), own.unsqueeze(1))
        return Compared((user * pos).sum(-1), neg, hidden, self.times)


def _comparable(batch: Triplets, similarity: Similarity) -> tuple[Tensor, Tensor]:
    user, item = batch.user, batch.item
    if similarity == "cosine":
        user, item = unit_rows(user), unit_rows(item.flatten(0, 1)).view(item.shape)
    return user, item


def _pool(batch: Triplets, item: Tensor, negatives: Negatives, most: int) -> _Pool:
    drawn = slice(0, 1) if negatives == "batch" else slice(1, None)
    ids, place = distinct(batch.item_id[drawn, :most].flatten())
    # The result of distinct may be longer than there are distinct entries: no place leads to the
    # rest. Of equal rows the first stands for all.
    times = torch.zeros_like(ids).scatter_add_(0, place, torch.ones_like(place))
    ids = ids.masked_fill(times == 0, torch.iinfo(ids.dtype).max)
    rows = torch.arange(place.numel(), device=place.device)
    first = torch.full_like(ids, place.numel()).scatter_reduce_(0, place, rows, "amin")
    first = first.clamp(max=max(0, place.numel() - 1))
    shared = item[drawn, :most].flatten(0, 1)
    return _Pool(F.embedding(first, shared), ids, times)
