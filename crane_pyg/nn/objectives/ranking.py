from typing import ClassVar, Literal, NamedTuple

from torch import Tensor

from crane_pyg.ops import unit_rows

Similarity = Literal["inner", "cosine"]


class Triplets(NamedTuple):
    """The embeddings and ids of a batch: users, the items that they took, and sampled ones.

    Shapes:
        - **user:** ``[B, d]``
        - **item:** ``[1 + n, B, d]``: a positive and :math:`n` negatives for each user
        - **user_id:** ``[B]``
        - **item_id:** ``[1 + n, B]``
    """

    user: Tensor
    item: Tensor
    user_id: Tensor
    item_id: Tensor

    @property
    def inner(self) -> Tensor:
        """Inner products ``[1 + n, B]`` of each user and the items."""
        return (self.user * self.item).sum(-1)


class RankingLoss:
    """A loss that makes the items that a user took score above those they did not take.

    A loss is a file in this folder with a frozen dataclass: its fields are the loss's settings,
    :attr:`name` is what training records it as, and :meth:`__call__` computes it. Losses on cosines
    set :attr:`similarity`; evaluation scores by the same.
    """

    name: ClassVar[str]
    similarity: Similarity = "inner"

    def __call__(self, batch: Triplets) -> Tensor:
        """The loss of one batch.

        Args:
            batch (Triplets): embeddings and ids.

        Returns:
            a number.
        """
        raise NotImplementedError

    def scores(self, user: Tensor, item: Tensor) -> Tensor:
        """The score of every pair, by which items are ranked.

        Args:
            user (Tensor): rows of users' embeddings.
            item (Tensor): rows of items' embeddings.

        Shapes:
            - **user:** ``[m, d]``, **item:** ``[n, d]``
            - **output:** ``[m, n]``
        """
        if self.similarity == "cosine":
            user, item = unit_rows(user), unit_rows(item)
        return user @ item.T
