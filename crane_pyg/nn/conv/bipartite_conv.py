from collections.abc import Callable

from torch import Tensor
from torch.nn import Linear
from torch_geometric.typing import Adj, OptTensor, Size

from crane_pyg.nn.columns import Columns
from crane_pyg.nn.conv.weighted_sum_conv import WeightedSumConv
from crane_pyg.ops import CSRGraph


class BipartiteConv(WeightedSumConv):
    r"""The user-item convolution of CRANE (eq. 3-4), one direction of it.

    .. math::
        \mathbf{e}^{\prime}_i = \sigma \Big( \sum_{j \in \mathcal{N}(i)} w_{ji} \,
        \mathbf{W} \mathbf{e}_j \Big)

    The paper prints :math:`\mathbf{W}` and :math:`\sigma`; LightGCN, and the default here, have
    neither. The weights :math:`w_{ji} = 1 / \sqrt{d_j d_i}` come from
    :func:`~crane_pyg.transforms.bipartite_norm`.

    Args:
        in_channels (int, optional): width of the input; with it comes :math:`\mathbf{W}`.
        out_channels (int, optional): width of the output, :obj:`in_channels` by default.
        act (callable, optional): :math:`\sigma`. (default: :obj:`None`)
        **kwargs: as :class:`torch_geometric.nn.conv.MessagePassing` takes them.

    Raises:
        ValueError: if :obj:`out_channels` comes without :obj:`in_channels`.

    Examples:
        >>> import torch
        >>> from crane_pyg.nn.conv import BipartiteConv
        >>> from crane_pyg.transforms import bipartite_norm
        >>> taken = torch.tensor([[0, 0, 1], [0, 2, 3]])  # user, item
        >>> weight = bipartite_norm(taken, (2, 4))
        >>> conv = BipartiteConv(16, 32, act=torch.relu)
        >>> conv((torch.randn(2, 16), None), taken, weight, size=(2, 4)).shape
        torch.Size([4, 32])
    """

    def __init__(
        self,
        in_channels: int | None = None,
        out_channels: int | None = None,
        act: Callable[[Tensor], Tensor] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if in_channels is None and out_channels is not None:
            raise ValueError(f"out_channels needs in_channels (got out_channels={out_channels})")
        self.in_channels = in_channels
        self.out_channels = out_channels or in_channels
        self.act = act
        self.columns = Columns()
        self.lin = (
            None
            if in_channels is None
            else Linear(in_channels, out_channels or in_channels, bias=False)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        if self.lin is not None:
            self.lin.reset_parameters()

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Adj | CSRGraph,
        edge_weight: OptTensor = None,
        size: Size = None,
    ) -> Tensor:
        src, dst = (x, x) if isinstance(x, Tensor) else x
        if self.lin is not None:
            src = self.columns.across(self.lin, src)
        out = super().forward((src, dst), edge_index, edge_weight, size)
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        sizes = [] if self.in_channels is None else [f"{self.in_channels}, {self.out_channels}"]
        act = getattr(self.act, "__name__", self.act)
        return f"{self.__class__.__name__}({', '.join([*sizes, f'act={act}'])})"
