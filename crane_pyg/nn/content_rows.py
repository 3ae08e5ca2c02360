import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion.unit_features import UnitFeatures

_RANK = 128


@torch.no_grad()
def content_rows(data: HeteroData, modalities: Iterable[str], weight: float = 1.0) -> Tensor:
    r"""What items are, as rows whose inner products say how alike they are.

    .. math::
        \mathbf{f}_i^{\top} \mathbf{f}_j = \frac{w}{|\mathcal{M}|} \sum_{m \in \mathcal{M}}
        \hat{\mathbf{x}}_i^{m \top} \hat{\mathbf{x}}_j^m

    with :math:`\hat{\mathbf{x}}^m` the features of length one, less their mean, of length one
    again, zero where an item lacks them; of a modality wider than 128, on its 128 top singular
    vectors. To :func:`~crane_pyg.ops.ease` the features say as much of an item as :math:`w` users.

    Args:
        data: the graph; ``data['item']`` has ``x_m`` and ``m_mask`` for each modality m.
        modalities: names of those that count.
        weight (float): :math:`w`. (default: ``1``)

    Shapes:
        - **output:** ``[N, f]``, single precision

    Raises:
        ValueError: if there is no modality.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import content_rows
        >>> from crane_pyg.ops import local_ease
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> rows = content_rows(data, ["visual", "textual"], weight=10.0)
        >>> rows.shape, rows.square().sum(1).mean()
        (torch.Size([200, 96]), tensor(10.))
        >>> taken = data["user", "item"].edge_index
        >>> edges, coefficient = local_ease(taken, (300, 200), 50.0, 20, features=rows)
        >>> edges.shape
        torch.Size([2, 3969])
    """
    parts = []
    for m in modalities:
        units = UnitFeatures(data["item"][f"x_{m}"], data["item"][f"{m}_mask"], center=True)
        if units.x.size(1) <= _RANK:
            parts.append(units.all())
            continue
        with torch.random.fork_rng([units.x.device] if units.x.is_cuda else []):
            torch.manual_seed(0)  # which vectors are found depends on a start
            vectors = units.singular_vectors(_RANK)
        parts.append(units.project(vectors.T))
    if not parts:
        raise ValueError("content needs item features (got no modality)")
    return torch.cat(parts, dim=1).float().mul_(math.sqrt(weight / len(parts)))
