"""Nearest neighbours by pyg-lib, through PyG."""

from torch import Tensor

from crane_pyg.ops.knn.euclidean import neighbours_by_distance


def pyg_lib(unit: Tensor, k: int, query: Tensor) -> Tensor:
    """The k most similar other rows of some rows; of equally similar ones, any."""
    import torch_geometric.typing

    if not torch_geometric.typing.WITH_KNN:
        raise ImportError("impl='pyg_lib' needs pyg-lib>=0.6.0: pip install pyg-lib")
    from torch_geometric.nn.pool import knn

    def search(x: Tensor, some: Tensor, number: int) -> Tensor:
        return knn(x, some, number)[1]  # row 0 is the query

    return neighbours_by_distance(unit, k, query, search)
