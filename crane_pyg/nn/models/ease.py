from typing import Any

from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn import linear
from crane_pyg.nn.models.solved import RegressionRecommender
from crane_pyg.schema import sizes


class EASE(RegressionRecommender):
    r"""EASE from `"Embarrassingly Shallow Autoencoders for Sparse Data"
    <https://arxiv.org/abs/1905.03375>`_: a linear regression of each item on all others, in closed
    form.

    .. math::
        \hat{y}_{uj} = \sum_{i \in \mathcal{N}(u)} B_{ij}, \qquad B_{ij} = - P_{ij} / P_{jj}, \quad
        \mathbf{P} = (\mathbf{X}^{\top} \mathbf{X} + \lambda \mathbf{I})^{-1}

    Memory grows with the square of the items, and time with the cube:
    :class:`~crane_pyg.nn.models.LocalEASE` is for catalogues where that is too much.

    Args:
        num_items (int): size.
        l2 (float): :math:`\lambda`; the paper's optima lie between 200 and 1000. (default: ``300``)
        dropout (float): as :func:`~crane_pyg.ops.ease` takes it; not in the paper, but in a later
            one of its author. (default: ``0``)
        max_gb (float): memory that solving may take. (default: ``8``)
        content (float): how much items' features explain them, as so many users; not of the paper,
            see :func:`~crane_pyg.nn.content_rows`. (default: ``0``)
        damping (float): as :func:`~crane_pyg.ops.ease` takes it; not of the paper.
            (default: ``0``)
        power (float): what weights are raised to, signs kept; more than one lets the few items that
            say most be heard above the many. Not of the paper. (default: ``1``)

    Raises:
        ValueError: if ``content`` is negative; when solving, if more memory would be needed,
            ``l2`` or ``power`` is not positive, ``damping`` is negative, or there are no features
            that could count.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import EASE
        >>> from crane_pyg.training import fit
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = EASE.from_data(data, l2=100.0)
        >>> result = fit(model, data)
        >>> model.scorer(data)(torch.tensor([0, 7])).shape
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        l2: float = 300.0,
        dropout: float = 0.0,
        max_gb: float = 8.0,
        content: float = 0.0,
        damping: float = 0.0,
        power: float = 1.0,
    ) -> None:
        weights = linear.EASE(num_items, l2, dropout, max_gb, damping)
        super().__init__(weights, content, power)

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(sizes(data)[1], **kwargs)
