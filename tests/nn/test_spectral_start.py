import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import spectral_start


@pytest.fixture
def data():
    edge_index = (torch.rand(24, 40, generator=torch.Generator().manual_seed(0)) < 0.3).nonzero().T
    label = torch.zeros(edge_index.size(1), dtype=torch.long)
    return build_hetero_data(edge_index, label, num_users=24, num_items=40)


def normalised(data):
    edge_index = data["user", "interacts", "item"].edge_index
    matrix = torch.zeros(data["user"].num_nodes, data["item"].num_nodes)
    matrix[edge_index[0], edge_index[1]] = 1
    return matrix / (matrix.sum(1, keepdim=True).sqrt() * matrix.sum(0).sqrt()).clamp(min=1)


def drawn(data, channels):
    torch.manual_seed(0)
    return torch.randn(data["user"].num_nodes, channels), torch.randn(40, channels)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("channels", [2, 6, 24])
def test_inner_products_are_nearly_the_best_of_that_rank(data, channels, similarity):
    user, item = drawn(data, channels)
    norms = user.norm(dim=1).mean(), item.norm(dim=1).mean()
    spectral_start(user, item, data, noise=0.0, similarity=similarity)
    torch.testing.assert_close((user.norm(dim=1).mean(), item.norm(dim=1).mean()), norms)
    matrix = normalised(data)
    if similarity == "inner":
        degrees = [matrix.count_nonzero(dim).clamp(min=1) for dim in (1, 0)]
        user, item = user / degrees[0].sqrt()[:, None], item / degrees[1].sqrt()[:, None]
    u, s, v = torch.linalg.svd(matrix)
    best = (u[:, :channels] * s[:channels]) @ v[:channels]
    product = user @ item.T
    product *= (product * matrix).sum() / product.square().sum()  # norms are not the question
    error, least = (torch.linalg.matrix_norm(matrix - x) for x in (product, best))
    assert error <= 1.01 * least + 1e-4


def test_noise_is_a_share_of_what_was_drawn(data):
    tables = drawn(data, 6)
    plain, noisy = ([x.clone() for x in tables] for _ in range(2))
    for pair, noise in ((plain, 0.0), (noisy, 0.5)):
        torch.manual_seed(1)
        spectral_start(*pair, data, noise=noise)
    for start, a, b in zip(tables, plain, noisy, strict=True):
        torch.testing.assert_close(b - a, 0.5 * start)


def test_more_channels_than_nodes_and_nodes_without_edges():
    edge_index = torch.tensor([[0, 1, 1], [0, 0, 2]])
    label = torch.zeros(3, dtype=torch.long)
    data = build_hetero_data(edge_index, label, num_users=3, num_items=40)
    user, item = drawn(data, 8)
    lonely = user[2].clone(), item[3:].clone()
    spectral_start(user, item, data)
    torch.testing.assert_close((user[2], item[3:]), (0.1 * lonely[0], 0.1 * lonely[1]))
    assert user.isfinite().all()
    assert item.isfinite().all()
