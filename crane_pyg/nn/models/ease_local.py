from typing import Any

from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn import linear
from crane_pyg.nn.models.solved import RegressionRecommender
from crane_pyg.schema import sizes


class LocalEASE(RegressionRecommender):
    r"""EASE with few regressors for each item, see :func:`~crane_pyg.ops.local_ease`: time and
    memory grow with the items alone, and what it finds is a sparse graph.

    Ours, in the place of :class:`~crane_pyg.nn.models.EASE` where a catalogue is large; with all
    items as regressors it is the same.

    Args:
        num_items (int): size.
        l2 (float): :math:`\lambda`. (default: ``50``)
        num_neighbors (int): items that explain one. (default: ``100``)
        dropout (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0.5``)
        content (float): how much items' features explain them, as so many users; not of the paper,
            see :func:`~crane_pyg.nn.content_rows`. (default: ``0``)
        reach (float): where those who took an item have taken fewer of these on average, they
            become up to eight times as many. (default: ``8``)
        damping (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0``)
        power (float): what weights are raised to, signs kept; more than one lets the few items that
            say most be heard above the many. (default: ``1``)

    Raises:
        ValueError: if ``content`` is negative; when solving, if ``l2``, ``num_neighbors`` or
            ``power`` is not positive, ``reach`` or ``damping`` is negative, or there are no
            features that could count.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LocalEASE
        >>> from crane_pyg.training import fit
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = LocalEASE.from_data(data, num_neighbors=20)
        >>> result = fit(model, data)
        >>> model.scorer(data)(torch.tensor([0, 7])).shape
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        l2: float = 50.0,
        num_neighbors: int = 100,
        dropout: float = 0.5,
        content: float = 0.0,
        reach: float = 8.0,
        damping: float = 0.0,
        power: float = 1.0,
    ) -> None:
        weights = linear.LocalEASE(num_items, l2, num_neighbors, dropout, reach, damping)
        super().__init__(weights, content, power)

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(sizes(data)[1], **kwargs)
