import pytest
import torch

from crane_pyg.ops import csr_graph
from crane_pyg.ops.csr_product import _traced, csr_product
from tests.ops.test_sparse import SHAPES, random_edges, to_dense


def operands(shape, *, weighted, dtype=torch.double):
    """The arguments behind ``x`` as spmm gives them, and the same as a dense matrix."""
    edge_index, weight = random_edges(*shape)
    if not weighted:
        weight = torch.ones_like(weight)
    graph = csr_graph(edge_index, weight.to(dtype), size=shape[:2])
    weights = (graph.weight, graph.weight_t) if weighted else (None, None)
    dense = to_dense(edge_index, weight, shape[:2])
    return (
        (weights[0], graph.rowptr, graph.col, weights[1], graph.rowptr_t, graph.col_t),
        dense.to(dtype),
    )


def test_two_edges_into_one_row():
    rowptr, col = torch.tensor([0, 2, 2], dtype=torch.int32), torch.tensor([0, 2]).int()
    rowptr_t, col_t = torch.tensor([0, 1, 1, 2], dtype=torch.int32), torch.tensor([0, 0]).int()
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    out = csr_product(x, None, rowptr, col, None, rowptr_t, col_t)
    assert out.tolist() == [[6, 8], [0, 0]]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [0, 1, 5, 64])
def test_equals_dense_with_gradient(shape, channels, weighted):
    rest, dense = operands(shape, weighted=weighted)
    x = torch.randn(shape[0], channels, dtype=torch.double, requires_grad=True)
    grad = torch.randn(shape[1], channels, dtype=torch.double)
    out = csr_product(x, *rest)
    torch.testing.assert_close(out, dense @ x)
    (found,) = torch.autograd.grad(out, x, grad)
    torch.testing.assert_close(found, dense.T @ grad)


@pytest.mark.parametrize("weighted", [True, False])
def test_gradcheck(weighted):
    (weight, *rest), _ = operands((6, 4, 15), weighted=weighted)
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    if not weighted:
        assert torch.autograd.gradcheck(lambda x: csr_product(x, None, *rest), x)
        assert torch.autograd.gradgradcheck(lambda x: csr_product(x, None, *rest), x)
        return
    perm_t = csr_graph(random_edges(6, 4, 15)[0], size=(6, 4)).perm_t

    def product(x, weight):
        rowptr, col, _, rowptr_t, col_t = rest
        return csr_product(x, weight, rowptr, col, weight.detach()[perm_t], rowptr_t, col_t)

    assert torch.autograd.gradcheck(product, (x, weight.requires_grad_()))


def test_refuses_a_second_derivative_that_would_lack_a_part():
    (weight, *rest), _ = operands((6, 4, 15), weighted=True)
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    out = csr_product(x, weight.requires_grad_(), *rest).square().sum()
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(out, x, create_graph=True)


@pytest.mark.parametrize("weighted", [True, False])
def test_registered_as_torch_expects(weighted):
    rest, _ = operands((63, 100, 257), weighted=weighted, dtype=torch.float)
    x = torch.randn(63, 5, requires_grad=True)
    utils = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_traced, (x, *rest), test_utils=utils)


@pytest.mark.parametrize("weighted", [True, False])
def test_compiles_without_a_break(weighted):
    rest, dense = operands((63, 100, 257), weighted=weighted)
    x = torch.randn(63, 5, dtype=torch.double, requires_grad=True)

    def two_steps(x):
        return csr_product(x, *rest).relu().square().sum()

    compiled = torch.compile(two_steps, backend="aot_eager", fullgraph=True)
    expected = (dense @ x).relu().square().sum()
    found = compiled(x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, x)[0], torch.autograd.grad(expected, x)[0]
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_single(dtype):
    # 4,096 ones: summed in half precision they would stop growing far below.
    rowptr = torch.tensor([0, 4096], dtype=torch.int32)
    col = torch.zeros(4096, dtype=torch.int32)
    rowptr_t, col_t = torch.tensor([0, 4096], dtype=torch.int32), torch.zeros_like(col)
    out = csr_product(torch.ones(1, 3, dtype=dtype), None, rowptr, col, None, rowptr_t, col_t)
    assert out.tolist() == [[4096.0] * 3]
    assert out.dtype == dtype


def test_rows_that_are_not_contiguous():
    rest, dense = operands((7, 4, 30), weighted=True)
    x = torch.randn(5, 7, dtype=torch.double).T
    torch.testing.assert_close(csr_product(x, *rest), dense @ x)
