import pytest
import torch

from crane_pyg.nn import light_gcn_propagation, light_gcn_rows
from crane_pyg.ops import csr_graph
from crane_pyg.transforms import bipartite_norm


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_equals_powers_of_the_dense_laplacian(num_layers):
    a = (torch.rand(9, 6, generator=torch.Generator().manual_seed(3)) < 0.4).double()
    a[2], a[:, 4] = 0, 0
    edge_index = a.nonzero().T
    graph = csr_graph(edge_index, bipartite_norm(edge_index, (9, 6)).double(), size=(9, 6))
    x = torch.randn(15, 4, dtype=torch.float64, requires_grad=True)
    out = light_gcn_propagation(x[:9], x[9:], (graph, graph.transpose()), num_layers)

    dense = torch.zeros(15, 15, dtype=torch.float64)
    dense[:9, 9:] = torch.nan_to_num(a / (a.sum(1, keepdim=True) * a.sum(0)).sqrt())
    dense = dense + dense.T
    powers = [torch.linalg.matrix_power(dense, layer) @ x for layer in range(num_layers + 1)]
    expected = torch.stack(powers).mean(0)
    tolerance = {"rtol": 1e-6, "atol": 1e-7}  # the weights are float32
    torch.testing.assert_close(torch.cat(out), expected, **tolerance)
    grad = torch.randn_like(x)
    actual, expected = (torch.autograd.grad(y, x, grad)[0] for y in (torch.cat(out), expected))
    torch.testing.assert_close(actual, expected, **tolerance)


@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("users", [None, [7, 2, 0]])
@pytest.mark.parametrize("items", [None, [4, 1]])
def test_some_rows_equal_those_of_all_with_gradients(num_layers, users, items):
    a = (torch.rand(9, 6, generator=torch.Generator().manual_seed(3)) < 0.4).double()
    a[2], a[:, 4] = 0, 0
    edge_index = a.nonzero().T
    graph = csr_graph(edge_index, bipartite_norm(edge_index, (9, 6)).double(), size=(9, 6))
    tables = [torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (9, 6)]
    given = *tables, (graph, graph.transpose()), num_layers
    users, items = (None if rows is None else torch.tensor(rows) for rows in (users, items))
    found = light_gcn_rows(*given, users, items)
    every = slice(None)
    at = [every if rows is None else rows for rows in (users, items)] * 2
    expected = [x[rows] for x, rows in zip((*light_gcn_propagation(*given), *tables), at)]
    torch.testing.assert_close(list(found), expected)
    grads = [torch.randn_like(x) for x in found]
    found, expected = (torch.autograd.grad(x, tables, grads) for x in (found, expected))
    torch.testing.assert_close(found, expected)
