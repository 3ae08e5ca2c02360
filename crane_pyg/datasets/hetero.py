"""The graph that every data set of this package hands out."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import sort_edge_index

from crane_pyg.datasets.npy import MAPPED_FROM, check_modality
from crane_pyg.schema import ITEM_TO_USER, USER_TO_ITEM


def build_hetero_data(
    edge_index: Tensor,
    label: Tensor,
    *,
    num_users: int,
    num_items: int,
    features: Mapping[str, Tensor] | None = None,
    masks: Mapping[str, Tensor] | None = None,
) -> HeteroData:
    r"""Builds the user-item graph with its held-out pairs and its items' modalities.

    Only training pairs become edges, in both directions, each sorted by its source and then its
    target. Held-out pairs lie in ``val_edge_label_index`` and ``test_edge_label_index`` of
    ``('user', 'interacts', 'item')``. A modality ``m`` lies in ``data['item']`` as ``x_m`` and
    ``m_mask``.

    Args:
        edge_index (torch.Tensor): Distinct pairs of a user and an item.
        label (torch.Tensor): The split of each pair: 0 train, 1 val, 2 test.
        num_users (int): Number of users :math:`M`.
        num_items (int): Number of items :math:`N`.
        features (dict, optional): Item features by the name of their modality.
            (default: :obj:`None`)
        masks (dict, optional): Which items have a modality, by its name. All items have a modality
            that is not named here. The features of an item that lacks one may hold anything here,
            and become zeros in the graph. (default: :obj:`None`)

    Shapes:
        - **edge_index:** :math:`(2, E)`, **label:** :math:`(E)`
        - **features:** :math:`(N, d_m)` each, **masks:** :math:`(N)` each

    Raises:
        ValueError: if shapes do not agree, an id or a label is out of range, or a mask names
            a modality without features; or a modality has a name that it cannot have, see
            :func:`~crane_pyg.datasets.npy.check_modality`.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import build_hetero_data
        >>> pairs = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 2]])  # user, item
        >>> split = torch.tensor([0, 1, 0, 2])
        >>> looks = {"image": torch.randn(3, 8)}
        >>> data = build_hetero_data(pairs, split, num_users=2, num_items=3, features=looks)
        >>> data["user", "item"].edge_index, data["user", "item"].test_edge_label_index
        (tensor([[0, 1],
                [0, 1]]), tensor([[1],
                [2]]))
        >>> data["item"].x_image.shape, data["item"].image_mask
        (torch.Size([3, 8]), tensor([True, True, True]))
    """
    features, masks = features or {}, masks or {}
    _check_pairs(edge_index, label, num_users, num_items)
    _check_modalities(features, masks, num_items)

    data = HeteroData()
    data["user"].num_nodes = num_users
    data["item"].num_nodes = num_items
    for name in sorted(features):
        x, mask = features[name], masks.get(name, torch.ones(num_items)).bool()
        if x.dtype != torch.float16 or x.nbytes < MAPPED_FROM:
            x = x.float()
        # NaN would come back in gradients, from products with zero. What is zero is not copied.
        blank = not x[~mask].any()
        data["item"][f"x_{name}"] = x if blank else x.masked_fill(~mask.unsqueeze(1), 0)
        data["item"][f"{name}_mask"] = mask

    pairs = [sort_edge_index(edge_index[:, label == split]) for split in range(3)]
    data[USER_TO_ITEM].edge_index = pairs[0]
    data[USER_TO_ITEM].val_edge_label_index = pairs[1]
    data[USER_TO_ITEM].test_edge_label_index = pairs[2]
    data[ITEM_TO_USER].edge_index = sort_edge_index(pairs[0].flip(0))
    return data


def _check_pairs(edge_index: Tensor, label: Tensor, num_users: int, num_items: int) -> None:
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.dtype != torch.long:
        found = f"{edge_index.dtype}, {tuple(edge_index.shape)}"
        raise ValueError(f"`edge_index` must be an int64 tensor of shape (2, E) (got {found})")
    if label.shape != edge_index.shape[1:]:
        raise ValueError(f"`label` must have one value per pair (got {tuple(label.shape)})")
    for name, value, size in (
        ("users", edge_index[0], num_users),
        ("items", edge_index[1], num_items),
        ("labels", label, 3),
    ):
        if value.numel() > 0 and (value.min() < 0 or value.max() >= size):
            found = f"{int(value.min())} to {int(value.max())}"
            raise ValueError(f"The {name} must lie between 0 and {size - 1} (got {found})")


def _check_modalities(
    features: Mapping[str, Tensor], masks: Mapping[str, Tensor], num_items: int
) -> None:
    for name, x in features.items():
        check_modality(name)
        if x.dim() != 2 or x.size(0) != num_items:
            shape = tuple(x.shape)
            raise ValueError(f"Features '{name}' must have shape ({num_items}, d) (got {shape})")
    for name, mask in masks.items():
        if name not in features:
            raise ValueError(f"A mask needs features of the same modality (got '{name}')")
        if mask.shape != (num_items,):
            shape = tuple(mask.shape)
            raise ValueError(f"Mask '{name}' must have shape ({num_items},) (got {shape})")
