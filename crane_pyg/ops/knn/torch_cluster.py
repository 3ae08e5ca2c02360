"""Nearest neighbours by torch_cluster: a k-d tree on CPU, exhaustive on CUDA."""

from torch import Tensor

from crane_pyg.ops.knn.euclidean import neighbours_by_distance

MAX_FOUND_CUDA = 100


def torch_cluster(unit: Tensor, k: int, query: Tensor) -> Tensor:
    """The k most similar other rows of some rows; of equally similar ones, any."""
    try:
        from torch_cluster import knn
    except ImportError as error:
        raise ImportError(
            "impl='torch_cluster' needs torch-cluster: pip install torch-cluster"
        ) from error
    if unit.is_cuda and k + 1 > MAX_FOUND_CUDA:
        raise ValueError(
            f"impl='torch_cluster' finds fewer than {MAX_FOUND_CUDA} other rows on CUDA (got {k})"
        )

    def search(x: Tensor, some: Tensor, number: int) -> Tensor:
        return knn(x, some, number)[1]  # row 0 is the query

    return neighbours_by_distance(unit, k, query, search)
