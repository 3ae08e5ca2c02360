import torch
from torch import Tensor

from crane_pyg.ops.cooccurrence import cooccurrence
from crane_pyg.ops.ease.ridge import check_features, check_ridge

_MATRICES = 3  # held at once: the system, its factor, its inverse


def ease(
    edge_index: Tensor,
    size: tuple[int, int],
    l2: float,
    *,
    dropout: float = 0.0,
    damping: float = 0.0,
    features: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    max_gb: float = 8.0,
) -> Tensor:
    r"""The item-item weights of EASE, from `"Embarrassingly Shallow Autoencoders for Sparse Data"
    <https://arxiv.org/abs/1905.03375>`_ (eq. 8).

    They minimise :math:`\| \mathbf{X} - \mathbf{X} \mathbf{B} \|^2 + \lambda \| \mathbf{B} \|^2`
    where no item explains itself, :math:`B_{ii} = 0`:

    .. math::
        \mathbf{P} = (\mathbf{X}^{\top} \mathbf{X} + \lambda \mathbf{I})^{-1}, \qquad
        B_{ij} = - P_{ij} / P_{jj} \quad (i \neq j)

    A user's scores are the sum of the rows of what the user took. Features explain items as users
    do: with rows :math:`\mathbf{F}`, it is :math:`\mathbf{X}^{\top} \mathbf{X} + \mathbf{F}
    \mathbf{F}^{\top}` in the place of :math:`\mathbf{X}^{\top} \mathbf{X}`, as in CEASE of
    `"Closed-Form Models for Collaborative Filtering with Side-Information"
    <https://dl.acm.org/doi/10.1145/3383313.3418480>`_.

    Args:
        edge_index (Tensor): ``[2, E]`` distinct or repeated pairs, users first.
        size: number of users and of items.
        l2: :math:`\lambda`.
        dropout: :math:`p`, share of what users took that is imagined to be missing (inputs dropped
            at random, the others scaled up): the popular are held back with :math:`\lambda +
            c_{ii} \, p / (1 - p)`. From `"Autoencoders that don't overfit towards the Identity"
            <https://proceedings.neurips.cc/paper/2020/hash/e33d974aae13e4d877477d51d8bafdc4-Abstract.html>`_.
            (default: ``0.0``)
        damping: users of :math:`n` items count :math:`n^{-\text{damping}}`, interactions one on
            average, so that who took many does not speak for all. (default: ``0.0``)
        features: :math:`\mathbf{F}`, scaled by how much they shall say. (default: none)
        dtype: of the solution and the result. Float32 is off by 1e-6 of the largest weight and
            less where ``l2`` is 100 or more, by 1e-4 where it is 1. (default: ``torch.float32``)
        max_gb: memory that solving may take; it grows with the square of the items, time with the
            cube. (default: ``8``)

    Shapes:
        - **features:** ``[items, f]``
        - **output:** ``[items, items]``, on the device of ``edge_index``

    Raises:
        ValueError: if ``l2`` is not positive, ``dropout`` not in [0, 1) or ``damping`` negative,
            more memory would be needed, an index lies outside ``size``, or the features are not of
            ``size[1]`` items.
    """
    check_ridge(l2, dropout)
    check_features(features, size[1])
    need = _MATRICES * size[1] ** 2 * dtype.itemsize / 1e9
    if need > max_gb:
        raise ValueError(
            f"EASE of {size[1]} items must fit in {max_gb:g} GB; local EASE (local_ease, "
            f"--model ease-local) takes memory linear in the items (got {need:.1f} GB)"
        )
    system = cooccurrence(edge_index, size, damping).to(dtype)
    if features is not None:
        features = features.to(dtype)
        system.addmm_(features, features.T)
    system.diagonal().div_(1 - dropout).add_(l2)
    # The inverse is symmetric, and LAPACK stores it by columns.
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(system)).mT.contiguous()
    weight = inverse.div_(-inverse.diagonal().clone())
    return weight.fill_diagonal_(0)
