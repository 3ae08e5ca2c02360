import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.testing import assert_module

from crane_pyg.nn import BipartiteConv, SemanticConv, WeightedSumConv
from crane_pyg.ops import csr_graph

# Of the process's first torch CSR matrix, by torch_sparse or by a test here.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")


def by_destination(edge_index, size):
    return torch.argsort(edge_index[1] * size[0] + edge_index[0])


def plain(edge_index, weight, size):
    return edge_index, weight


def kept_transpose(edge_index, weight, size):
    return csr_graph(edge_index, weight, size=size), None


def sparse_tensor(edge_index, weight, size):
    torch_sparse = pytest.importorskip("torch_sparse")
    src, dst = edge_index
    return torch_sparse.SparseTensor(row=dst, col=src, value=weight, sparse_sizes=size[::-1]), None


def torch_csr(edge_index, weight, size):
    order = by_destination(edge_index, size)
    ptr = torch.bincount(edge_index[1] + 1, minlength=size[1] + 1).cumsum(0)
    values = weight[order]
    return torch.sparse_csr_tensor(ptr, edge_index[0, order], values, size=size[::-1]), None


def unsorted_edge_index(edge_index, weight, size):
    return EdgeIndex(edge_index, sparse_size=size), weight


def sorted_edge_index(edge_index, weight, size):
    order = by_destination(edge_index, size)
    return EdgeIndex(edge_index[:, order], sparse_size=size, sort_order="col"), weight[order]


def row_sorted_edge_index(edge_index, weight, size):
    order = torch.argsort(edge_index[0] * size[1] + edge_index[1])
    return EdgeIndex(edge_index[:, order], sparse_size=size, sort_order="row"), weight[order]


def edge_index_without_sizes(edge_index, weight, size):
    order = by_destination(edge_index, size)
    return EdgeIndex(edge_index[:, order], sort_order="col"), weight[order]


FORMS = [
    plain,
    kept_transpose,
    sparse_tensor,
    torch_csr,
    unsorted_edge_index,
    sorted_edge_index,
    row_sorted_edge_index,
    edge_index_without_sizes,
]
GRAPHS = {
    "square": ([(0, 1), (1, 1), (2, 0), (1, 0)], (3, 3)),
    "rectangular": ([(0, 1), (6, 0), (2, 3), (3, 3), (4, 2), (6, 3)], (7, 4)),
    "isolated": ([(0, 2), (2, 0), (2, 2)], (5, 12)),
    "duplicate": ([(0, 1), (2, 1), (0, 1), (3, 0), (0, 1)], (4, 3)),
    "empty": ([], (5, 3)),
}


def graph(name):
    pairs, size = GRAPHS[name]
    edge_index = torch.tensor(pairs, dtype=torch.long).view(-1, 2).T.contiguous()
    weight = torch.rand(len(pairs), dtype=torch.double) + 0.5
    return edge_index, weight, size


def oracle(edge_index, weight, size, x):
    adj_t = weight.new_zeros(size[1], size[0])
    return adj_t.index_put((edge_index[1], edge_index[0]), weight, accumulate=True) @ x


def gradient(out, inputs, grad):
    """An empty SparseTensor cuts the graph of autograd: that too is a gradient of zero."""
    if not out.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(out, inputs, grad, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("learn_weight", [False, True])
def test_every_form_equals_the_sum(form, name, learn_weight):
    if learn_weight and form is torch_csr and name == "duplicate":
        pytest.skip("torch coalesces the gradient of CSR values")
    edge_index, weight, size = graph(name)
    weight.requires_grad_(learn_weight)
    x = torch.randn(size[0], 6, dtype=torch.double, requires_grad=True)
    inputs = [x, weight] if learn_weight else [x]
    grad = torch.randn(size[1], 6, dtype=torch.double)

    expected = oracle(edge_index, weight, size, x)
    adj, edge_weight = form(edge_index, weight, size)
    dst = torch.zeros(size[1], 1, dtype=torch.double)
    out = WeightedSumConv()((x, dst), adj, edge_weight)
    torch.testing.assert_close(out, expected)
    wanted = torch.autograd.grad(expected, inputs, grad)
    for a, b in zip(gradient(out, inputs, grad), wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("form", [plain, unsorted_edge_index, sorted_edge_index])
@pytest.mark.parametrize("name", ["rectangular", "duplicate", "empty"])
def test_without_weights_every_edge_counts_once(form, name):
    edge_index, weight, size = graph(name)
    x = torch.randn(size[0], 2, dtype=torch.double, requires_grad=True)
    expected = oracle(edge_index, torch.ones_like(weight), size, x)
    adj, _ = form(edge_index, weight, size)
    out = WeightedSumConv()((x, torch.zeros(size[1], 1)), adj)
    torch.testing.assert_close(out, expected)
    grad = torch.randn(size[1], 2, dtype=torch.double)
    torch.testing.assert_close(
        torch.autograd.grad(out, x, grad), torch.autograd.grad(expected, x, grad)
    )


def test_undirected_edge_index():
    edge_index = torch.tensor([[0, 0, 1, 2, 1, 3], [1, 2, 0, 0, 3, 1]])
    weight = torch.rand(6, dtype=torch.double)
    order = by_destination(edge_index, (5, 5))
    adj = EdgeIndex(edge_index[:, order], sparse_size=(5, 5), sort_order="col", is_undirected=True)
    x = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    out = WeightedSumConv()(x, adj, weight[order])
    expected = oracle(edge_index, weight, (5, 5), x)
    torch.testing.assert_close(out, expected)
    grad = torch.randn(5, 3, dtype=torch.double)
    torch.testing.assert_close(
        torch.autograd.grad(out, x, grad), torch.autograd.grad(expected, x, grad)
    )


def test_sizes_of_a_plain_edge_index():
    edge_index, weight, size = graph("isolated")
    x = torch.randn(size[0], 2, dtype=torch.double)
    expected = oracle(edge_index, weight, size, x)
    out = WeightedSumConv()((x, None), edge_index, weight, size=size)
    torch.testing.assert_close(out, expected)
    square = WeightedSumConv()((x, None), edge_index, weight)  # as many destinations as sources
    torch.testing.assert_close(square, expected[: size[0]])


@pytest.mark.parametrize("conv", [WeightedSumConv(), SemanticConv(), BipartiteConv(4, 2)], ids=str)
def test_pyg_contract(conv):
    edge_index = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 1, 0, 3]])
    x = torch.randn(5, 4)
    width = 2 if isinstance(conv, BipartiteConv) else 4
    layouts = ["torch_sparse", torch.sparse_csc]  # the second becomes CSR by transposing
    assert_module(conv, x, edge_index, expected_size=(5, width), test_sparse_layouts=layouts)


@pytest.mark.parametrize("form", [kept_transpose, sparse_tensor, torch_csr])
def test_weights_stand_twice(form):
    edge_index, weight, size = graph("square")
    adj, _ = form(edge_index, weight, size)
    with pytest.raises(ValueError, match=r"edge_weight must be None.*\(got \w+ and edge_weight\)"):
        WeightedSumConv()(torch.ones(3, 1, dtype=torch.double), adj, weight)


@pytest.mark.parametrize("form", [kept_transpose, sorted_edge_index])
def test_rows_are_not_the_sources(form):
    adj, edge_weight = form(*graph("rectangular"))
    with pytest.raises(ValueError, match=r"\[7, d\]|expected size 7"):
        WeightedSumConv()((torch.ones(6, 1), torch.ones(4, 1)), adj, edge_weight)


def test_repr():
    assert str(WeightedSumConv()) == "WeightedSumConv()"
