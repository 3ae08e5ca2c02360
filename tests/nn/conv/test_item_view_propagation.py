import pytest
import torch

from crane_pyg.nn import item_view_propagation
from crane_pyg.ops import csr_graph


def random_graph(rows, columns, seed):
    """A dense matrix that is mostly zeros, and the same as edges from columns to rows."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(rows, columns, generator=generator, dtype=torch.double)
    dense[dense > 0.3] = 0
    dense[1] = 0
    edge_index = dense.T.nonzero().T
    return dense, csr_graph(edge_index, dense[edge_index[1], edge_index[0]], size=(columns, rows))


@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 3])
def test_equals_products_with_dense_matrices(count, num_layers):
    taken, to_user = random_graph(5, 7, seed=0)
    pairs = [random_graph(7, 7, seed) for seed in range(1, count + 1)]
    items = [torch.randn(7, 4, dtype=torch.double, requires_grad=True) for _ in range(count)]
    out = item_view_propagation(items, [graph for _, graph in pairs], to_user, num_layers)
    passed = [
        torch.linalg.matrix_power(dense, num_layers) @ x
        for (dense, _), x in zip(pairs, items, strict=True)
    ]
    expected = torch.stack([taken @ x for x in passed], 1), torch.stack(passed, 1)
    assert [x.shape for x in out] == [(5, count, 4), (7, count, 4)]
    weights = [torch.randn_like(x) for x in expected]
    for found, wanted in zip(out, expected, strict=True):
        torch.testing.assert_close(found, wanted)
    found, wanted = (
        torch.autograd.grad(sum((x * w).sum() for x, w in zip(side, weights, strict=True)), items)
        for side in (out, expected)
    )
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
