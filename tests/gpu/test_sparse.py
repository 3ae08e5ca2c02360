"""Sparse products and what is built around them, against dense matrices in float64."""

import pytest
import torch

from crane_pyg.ops import csr_graph, spmm, spmm_and_read
from tests.gpu.gpu_device import DEVICE, REHEARSAL
from tests.ops.test_sparse import SHAPES, of_graph, random_edges, some_rows, to_dense

TOLERANCE = {
    torch.float64: {},
    torch.float32: {},
    # A gradient of a weight is a sum over channels of products that were rounded.
    torch.bfloat16: {"rtol": 2**-6, "atol": 2**-3},
    torch.float16: {"rtol": 2**-9, "atol": 2**-6},
}


def on_device(edge_index, weight):
    return edge_index.to(DEVICE), weight.to(DEVICE)


def products(graph, x, grad):
    """The product and its gradients by name."""
    weight = graph.weight.detach().requires_grad_()
    x = x.detach().requires_grad_()
    out = spmm(graph.with_weight(weight), x)
    grads = torch.autograd.grad(out, [weight, x], grad)
    return {"output": out.detach(), "weight": grads[0], "x": grads[1]}


@pytest.mark.parametrize("shape", [*SHAPES, (257, 100, 3000)])
@pytest.mark.parametrize("channels", [1, 5, 64])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_equals_dense_with_gradients(shape, channels, dtype):
    if REHEARSAL and dtype.itemsize == 2:
        pytest.skip("no product in half precision on a CPU")
    size = shape[:2]
    edge_index, weight = on_device(*random_edges(*shape))
    weight = weight.to(dtype)
    x = torch.randn(size[0], channels).to(DEVICE, dtype)
    grad = torch.randn(size[1], channels).to(DEVICE, dtype)
    exact = weight.double().requires_grad_()
    exact_x = x.double().requires_grad_()
    expected = to_dense(edge_index, exact, size) @ exact_x
    expected_grads = torch.autograd.grad(expected, [exact, exact_x], grad.double())

    weight.requires_grad_()
    x.requires_grad_()
    out = spmm(csr_graph(edge_index, weight, size=size), x)
    grads = torch.autograd.grad(out, [weight, x], grad)
    for found, wanted in zip([out, *grads], [expected, *expected_grads], strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found, wanted.to(dtype), **TOLERANCE[dtype])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("restricted", [True, False])
def test_some_rows_equal_those_of_all_with_gradients(shape, restricted):
    size = shape[:2]
    graph = csr_graph(*on_device(*random_edges(*shape)), size=size)
    rows = some_rows(size[1], 1).to(DEVICE)
    read = some_rows(size[0], 2).to(DEVICE)
    x = torch.randn(size[0], 5, dtype=torch.double).to(DEVICE).requires_grad_()
    found = spmm_and_read(graph, x, read, rows if restricted else None)
    expected = spmm(graph, x)[rows] if restricted else spmm(graph, x), x[read]
    torch.testing.assert_close(found, expected)
    grads = [torch.randn_like(y) for y in found]
    found, expected = (torch.autograd.grad(y, x, grads)[0] for y in (found, expected))
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("poisoned_memory")
def test_rows_without_edges_are_zero_and_not_what_memory_held():
    edge_index, weight = on_device(*random_edges(3, 12, 4))
    graph = csr_graph(edge_index, weight.float(), size=(3, 12))
    out = spmm(graph, torch.ones(3, 5, device=DEVICE))
    assert not out[graph.in_degree == 0].any()
    assert out.isfinite().all()


def test_a_large_graph_is_close_to_float64_each_time():
    shape = (700, 200, 5_000) if REHEARSAL else (20_000, 7_000, 160_000)
    edge_index, weight = on_device(*random_edges(*shape))
    edge_index[1, : shape[2] // 20] = 3  # one destination has very many edges
    graph = csr_graph(edge_index, weight.float(), size=shape[:2])
    x, grad = (torch.randn(count, 64).to(DEVICE) for count in shape[:2])
    exact = products(graph.with_weight(graph.weight.double()), x.double(), grad.double())
    for _ in range(3):  # cuSPARSE adds up in another order each time
        for name, value in products(graph, x, grad).items():
            torch.testing.assert_close(value.double(), exact[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_transpose_and_selection_equal_dense(shape):
    size = shape[:2]
    edge_index, weight = on_device(*random_edges(*shape))
    graph = csr_graph(edge_index, weight, size=size)
    dense = to_dense(edge_index, weight, size)
    torch.testing.assert_close(of_graph(graph), dense)
    torch.testing.assert_close(of_graph(graph.transpose()), dense.T)
    mask = torch.rand(shape[2], device=DEVICE) < 0.4
    kept = to_dense(graph.edge_index[:, mask], graph.weight[mask], size)
    selected = graph.select(mask)
    torch.testing.assert_close(of_graph(selected), kept)
    torch.testing.assert_close(of_graph(selected.transpose()), kept.T)
    x = torch.randn(size[1], 5, dtype=torch.double, device=DEVICE)
    torch.testing.assert_close(spmm(selected.transpose(), x), kept.T @ x)


def test_an_index_outside_the_graph_is_an_error_and_no_illegal_access():
    edge_index = torch.tensor([[0, 5], [0, 0]], device=DEVICE)
    with pytest.raises(ValueError, match=r"source indices must lie in \[0, 5\) \(got 0\.\.5\)"):
        csr_graph(edge_index, size=(5, 4))
