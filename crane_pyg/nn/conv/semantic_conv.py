from crane_pyg.nn.conv.weighted_sum_conv import WeightedSumConv


class SemanticConv(WeightedSumConv):
    r"""One step over the item-item semantic graph of CRANE (eq. 15).

    .. math::
        \mathbf{h}^{(l+1)}_i = \sum_{j \in \mathcal{N}_S(i)} \tilde{S}_{ij} \, \mathbf{h}^{(l)}_j

    Without parameters; the gradient flows to the weights as well, which is the only way by which
    cross-modal attention learns. :class:`~crane_pyg.transforms.AddSimilarItems` builds the graph
    and :func:`~crane_pyg.transforms.row_normalize` the weights :math:`\tilde{S}`.

    Args:
        aggr: as :class:`~crane_pyg.nn.WeightedSumConv` takes it.
        **kwargs: likewise.
    """
