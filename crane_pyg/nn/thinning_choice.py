from torch_geometric.data import HeteroData

from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.transforms import DropMode

FEW = 12
"""Interactions of a user, in the mean, below which edges had better be dropped."""


def choose_thinning(data: HeteroData) -> DropMode | None:
    r"""Whether edges of these data had better be dropped in training.

    A pair that the loss asks for is an edge of the graph that answers: of a user with :math:`n`
    items, each holds about :math:`1 / n` of what the first layer hears, the one to be ranked too.
    Where users have few items, a model learns to recognise what it was told. Dropping most edges,
    anew in each epoch, asks it for pairs that the graph does not hold; where users have many, it
    only takes away.

    Args:
        data: the graph; users without training interactions do not count.

    Returns:
        ``'multinomial'`` where users have fewer than :data:`FEW` items in training, in the mean,
        else ``None``

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import choose_thinning
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> choose_thinning(data) is None  # its users took twelve items each, in the mean
        True
    """
    users = data[USER_TO_ITEM].edge_index[0]
    taking = users.unique().numel()
    return "multinomial" if users.numel() < FEW * taking else None
