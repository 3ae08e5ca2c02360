from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import ProfileAggregation, UserProfile
from crane_pyg.nn.fusion.base import Space
from crane_pyg.nn.fusion.projecting import ProjectingFusion
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import AttentionImpl, CSRGraph
from crane_pyg.schema import USER_TO_ITEM


class RCAFusion(ProjectingFusion):
    r"""Recursive cross-modal attention over users and items together (eq. 5-13).

    Item features are projected and summed up into user profiles; then
    :class:`~crane_pyg.nn.RecursiveCrossModalAttention` refines both. The items' rows of
    :math:`\mathbf{X}_{att}` are what items are compared by.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
        num_rounds (int): rounds of attention. (default: ``1``)
        profile (str): aggregation of :class:`~crane_pyg.nn.UserProfile`. (default: ``'sum'``)
        normalize (bool): as :class:`~crane_pyg.nn.RecursiveCrossModalAttention` takes it.
            (default: ``True``)
        gain (bool): as :class:`~crane_pyg.nn.RecursiveCrossModalAttention` takes it.
            (default: ``False``)
        impl (str): implementation of :func:`~crane_pyg.ops.tanh_attention`. (default: ``'auto'``)

    Raises:
        ValueError: if there is no modality or no round, or the profile or the implementation is
            unknown.
    """

    def __init__(
        self,
        modalities: Mapping[str, int],
        channels: int = 64,
        *,
        center: bool = True,
        num_rounds: int = 1,
        profile: ProfileAggregation = "sum",
        normalize: bool = True,
        gain: bool = False,
        impl: AttentionImpl = "auto",
    ) -> None:
        super().__init__(modalities, channels, center=center)
        self.profile = ByModality({m: UserProfile(profile, channels) for m in modalities})
        self.rca = RecursiveCrossModalAttention(
            dict.fromkeys(modalities, channels),
            num_rounds,
            normalize=normalize,
            gain=gain,
            impl=impl,
        )
        self._to_user = KeptFor[CSRGraph]()
        self.reset_parameters()

    def forward(self, data: HeteroData) -> list[Space]:
        joined, present = self.entities(data)
        items = slice(data["user"].num_nodes, None)
        x_att = self.rca(joined, present, query=items)
        parts = zip(self.modality_share, x_att.split(self.channels, dim=1), strict=True)
        return [Space([share * part for share, part in parts], [*self.masks(data).values()])]

    def entities(self, data: HeteroData) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What the attention reads: by modality users and items, in the space that both share.

        Args:
            data: as :meth:`forward` takes it.

        Shapes:
            - **output:** ``[M + N, d]`` by modality, users first, and which of them have it,
              ``[M + N]`` bool
        """
        source = (data[USER_TO_ITEM].edge_index,)
        to_user = self._to_user(source, lambda: item_to_user_graph(data))
        masks, joined, present = self.masks(data), {}, {}
        for m, x in self.units(data).items():
            item = x.project(self.lin[m].weight)
            user = self.profile[m](item, to_user, mask=masks[m])
            has_any = torch.zeros(to_user.num_dst, dtype=torch.bool, device=item.device)
            has_any[to_user.dst[masks[m][to_user.col]]] = True
            joined[m] = torch.cat([user, item])
            present[m] = torch.cat([has_any, masks[m]])
        return joined, present

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> dict[str, Tensor]:
        r"""Start from the features' own geometry: the projections become the top singular vectors,
        and :math:`\mathbf{W}_f` the identity.

        Args:
            data: as :meth:`forward` takes it.
        """
        for m in self.modalities:
            torch.nn.init.eye_(self.rca.lin_self[m].weight)
        return super().warm_start(data)
