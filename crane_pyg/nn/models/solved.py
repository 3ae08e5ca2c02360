from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.models.recommender import Recommender


class SolvedRecommender(Recommender):
    """Base of the models that learn without gradients: in closed form, by counting, or by solving
    for one half of their values after the other.

    A subclass implements :meth:`solve`, keeps what it finds in buffers, and either implements
    :meth:`~crane_pyg.nn.models.Recommender.forward` as others do or, where scores are no product of
    embeddings, :meth:`~crane_pyg.nn.models.Recommender.scorer`. It goes through the same training,
    checkpoints, comparison and search: a pass takes the place of an epoch.
    """

    takes_ranking = False
    passes: int | None = 1
    """After how many passes nothing changes any more; ``None`` where each may improve it."""

    def solve(self, data: HeteroData) -> dict[str, Tensor]:
        """One pass over the interactions.

        Args:
            data: the graph.

        Returns:
            what the history shall hold of the pass, a number by name.
        """
        raise NotImplementedError

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        raise TypeError(f"{self.__class__.__name__} is solved for: it has no loss to descend")
