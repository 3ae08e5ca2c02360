from collections.abc import Callable

from torch import Tensor
from torch_geometric.data import Data, HeteroData

from crane_pyg.nn.content_rows import content_rows
from crane_pyg.nn.linear import EASE, ItemToItem, LocalEASE, SparseItemToItem
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.schema import modalities


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

    def num_learned(self) -> int:
        return sum(x.numel() for x in self.state_dict().values() if x.is_floating_point())

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        raise TypeError(f"{self.__class__.__name__} is solved for: it has no loss to descend")


class LinearRecommender(SolvedRecommender):
    """Base of the models that score by what a user took alone, and have no embeddings.

    Args:
        weights (ItemToItem): what items say for items.
    """

    def __init__(self, weights: ItemToItem) -> None:
        super().__init__()
        self.weights = weights

    def reset_parameters(self) -> None:
        self.weights.reset_parameters()

    def solve(self, data: HeteroData) -> dict[str, Tensor]:
        self.weights.solve(data)
        return {}

    def scorer(self, data: HeteroData) -> Callable[[Tensor], Tensor]:
        return lambda user: self.weights(data, user)

    def similar_items(self, data: HeteroData) -> Data:
        """The weights as a graph, edges from an item taken to the items that it speaks for."""
        if not isinstance(self.weights, SparseItemToItem):
            return super().similar_items(data)
        edge_index, num_items = self.weights.edge_index, self.weights.num_items
        return Data(edge_index=edge_index, edge_weight=self.weights.value, num_nodes=num_items)


class RegressionRecommender(LinearRecommender):
    """Base of the models that regress items on each other, and on what they are.

    Args:
        weights: what items say for items.
        content (float): weight of the features, see :func:`~crane_pyg.nn.content_rows`.
        power (float): what weights are raised to, see
            :meth:`~crane_pyg.nn.linear.EASE.sharpen`.
    """

    weights: EASE | LocalEASE

    def __init__(self, weights: EASE | LocalEASE, content: float, power: float) -> None:
        super().__init__(weights)
        self.content = content
        self.power = power

    def solve(self, data: HeteroData) -> dict[str, Tensor]:
        rows = content_rows(data, modalities(data), self.content) if self.content else None
        self.weights.solve(data, rows)
        self.weights.sharpen(self.power)
        return {}

    def __repr__(self) -> str:
        return f"{repr(self.weights)[:-1]}, content={self.content:g}, power={self.power:g})"
