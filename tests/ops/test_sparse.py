import importlib

import pytest
import torch

from crane_pyg.ops import csr_graph, spmm, spmm_and_read

product_module = importlib.import_module("crane_pyg.ops.csr_product")

# Sources, destinations, edges: rectangular both ways, isolated nodes, duplicate edges, no edges.
SHAPES = [(1, 1, 1), (7, 4, 30), (3, 12, 20), (63, 100, 257), (5, 3, 0), (0, 3, 0), (3, 0, 0)]


def random_edges(num_src, num_dst, num_edges):
    g = torch.Generator().manual_seed(num_edges)
    if num_edges == 0:
        return torch.empty(2, 0, dtype=torch.long), torch.empty(0, dtype=torch.double)
    src = torch.randint(num_src, (num_edges,), generator=g)
    dst = torch.randint(num_dst, (num_edges,), generator=g)
    return torch.stack([src, dst]), torch.randn(num_edges, generator=g, dtype=torch.double)


def to_dense(edge_index, weight, size):
    """``[num_dst, num_src]``; the weights of duplicate edges add up."""
    dense = weight.new_zeros(size[1], size[0])
    return dense.index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def of_graph(graph):
    return to_dense(graph.edge_index, graph.weight, (graph.num_src, graph.num_dst))


def check_both_directions(graph, expected):
    """The kept transpose must hold the same edges and weights as the graph."""
    torch.testing.assert_close(of_graph(graph), expected)
    ptr = graph.rowptr_t.long()
    src = torch.arange(graph.num_src).repeat_interleave(ptr.diff())
    kept = torch.stack([graph.col_t.long(), src])
    weight = graph.weight[graph.perm_t]
    torch.testing.assert_close(to_dense(kept, weight, expected.shape), expected.T)


def test_three_edges():
    # 0 -> 1 (weight 2), 1 -> 1 (weight 3), 2 -> 0 (weight 5); nothing enters 2 of the destinations.
    edge_index = torch.tensor([[0, 1, 2], [1, 1, 0]])
    graph = csr_graph(edge_index, torch.tensor([2.0, 3.0, 5.0]), size=(3, 3))
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert spmm(graph, x).tolist() == [[5, 5], [2, 3], [0, 0]]
    assert graph.in_degree.tolist() == [1, 2, 0]
    assert graph.edge_index.tolist() == [[2, 0, 1], [0, 1, 1]]
    assert graph.dst.tolist() == [0, 1, 1]
    assert (graph.num_src, graph.num_dst) == (3, 3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 5])
def test_equals_dense_with_gradients(shape, channels):
    size = shape[:2]
    edge_index, weight = random_edges(*shape)
    weight.requires_grad_()
    x = torch.randn(size[0], channels, dtype=torch.double, requires_grad=True)
    grad = torch.randn(size[1], channels, dtype=torch.double)

    expected = to_dense(edge_index, weight, size) @ x
    expected_grads = torch.autograd.grad(expected, [x, weight], grad)
    out = spmm(csr_graph(edge_index, weight, size=size), x)
    torch.testing.assert_close(out, expected)
    for found, wanted in zip(
        torch.autograd.grad(out, [x, weight], grad), expected_grads, strict=True
    ):
        torch.testing.assert_close(found, wanted)


def some_rows(count, seed):
    """A third of them, in no order."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[: -(-count // 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [True, False])
def test_some_rows_equal_those_of_all_with_gradients(shape, weighted):
    size = shape[:2]
    edge_index, weight = random_edges(*shape)
    graph = csr_graph(edge_index, weight if weighted else None, size=size)
    graph = graph.with_weight(graph.weight.requires_grad_()) if weighted else graph.unweighted()
    leaves = [torch.randn(size[0], 5, dtype=torch.double, requires_grad=True)]
    leaves += [graph.weight] if weighted else []
    for rows in (some_rows(size[1], 1), torch.arange(size[1]), torch.arange(0)):
        found, expected = spmm(graph, leaves[0], rows), spmm(graph, leaves[0])[rows]
        torch.testing.assert_close(found, expected)
        grad = torch.randn_like(found)
        found, expected = (torch.autograd.grad(y, leaves, grad) for y in (found, expected))
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("restricted", [True, False])
def test_a_product_and_rows_of_its_input_with_gradients(shape, learns, restricted):
    size = shape[:2]
    graph = csr_graph(*random_edges(*shape), size=size)
    graph = graph.with_weight(graph.weight.requires_grad_(learns))
    rows = some_rows(size[1], 1) if restricted else None
    read = some_rows(size[0], 2).repeat(2)  # one may be read twice
    x = torch.randn(size[0], 5, dtype=torch.double, requires_grad=True)
    leaves = [x, graph.weight] if learns else [x]
    found, expected = spmm_and_read(graph, x, read, rows), (spmm(graph, x, rows), x[read])
    torch.testing.assert_close(found, expected)
    grads = [torch.randn_like(y) for y in found]
    found, expected = (torch.autograd.grad(y, leaves, grads) for y in (found, expected))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_autocast_reads_rows_in_half_precision(half):
    size, rows, read = (50, 30), some_rows(30, 1), some_rows(50, 2)
    graph = csr_graph(random_edges(*size, 600)[0], size=size)
    x = torch.randn(size[0], 5, requires_grad=True)
    with torch.autocast("cpu", half):
        out, own = spmm_and_read(graph, x, read, rows)
        assert spmm(graph, x).dtype == half
        assert spmm(graph, x.double()).dtype == torch.double
    # One rounding of each row and one of their sum, not one of each addition.
    dense = to_dense(graph.edge_index, graph.weight, size)
    torch.testing.assert_close(out, (dense @ x.to(half).float()).to(half)[rows], rtol=1e-2, atol=0)
    torch.testing.assert_close(own, x[read], rtol=0, atol=0)
    (grad,) = torch.autograd.grad(out.float().sum() + own.sum(), x)
    expected = dense[rows].sum(0).unsqueeze(1).repeat(1, 5)
    expected[read] += 1
    torch.testing.assert_close(grad, expected, rtol=1e-2, atol=0)


def test_rows_of_which_one_comes_twice():
    graph = csr_graph(*random_edges(7, 4, 30), size=(7, 4))
    x = torch.randn(7, 2, dtype=torch.double)
    for product in (spmm, lambda *args, rows: spmm_and_read(*args, torch.arange(2), rows)):
        with pytest.raises(ValueError, match=r"rows must differ \(got 3, 2 distinct\)"):
            product(graph, x, rows=torch.tensor([1, 3, 1]))


def test_gradcheck():
    edge_index, weight = random_edges(6, 4, 15)
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    graph = csr_graph(edge_index, size=(6, 4))
    rows = torch.tensor([3, 1])

    def f(weight, x):
        return spmm(graph.with_weight(weight), x)

    assert torch.autograd.gradcheck(f, (weight.requires_grad_(), x))
    assert torch.autograd.gradcheck(lambda x: spmm_and_read(graph, x, rows, rows), x)
    assert torch.autograd.gradgradcheck(lambda x: spmm_and_read(graph, x, rows, rows), x)


def test_gradient_of_weight_in_chunks(monkeypatch):
    edge_index, weight = random_edges(63, 100, 257)
    weight.requires_grad_()
    x = torch.randn(63, 5, dtype=torch.double)
    graph = csr_graph(edge_index, weight, size=(63, 100))
    (whole,) = torch.autograd.grad(spmm(graph, x).square().sum(), weight)
    monkeypatch.setattr(product_module, "_CHUNK", 5 * 10)  # 10 edges at once, 7 in the last chunk
    graph = csr_graph(edge_index, weight, size=(63, 100))
    (chunked,) = torch.autograd.grad(spmm(graph, x).square().sum(), weight)
    torch.testing.assert_close(chunked, whole, rtol=0, atol=0)


def test_only_the_wanted_gradient():
    edge_index, weight = random_edges(7, 4, 30)
    x = torch.randn(7, 2, dtype=torch.double, requires_grad=True)
    spmm(csr_graph(edge_index, weight, size=(7, 4)), x).sum().backward()
    assert weight.grad is None
    torch.testing.assert_close(x.grad[:, 0], to_dense(edge_index, weight, (7, 4)).sum(0))


def test_unweighted_edges_count_once_each():
    edge_index, _ = random_edges(7, 4, 30)
    graph = csr_graph(edge_index, size=(7, 4))
    count = torch.bincount(edge_index[1], minlength=4)
    assert spmm(graph, torch.ones(7, 1)).view(-1).tolist() == count.tolist()


def test_takes_the_dtype_of_x():
    edge_index, weight = random_edges(7, 4, 30)
    graph = csr_graph(edge_index, weight.float().requires_grad_(), size=(7, 4))
    x = torch.randn(7, 2, dtype=torch.double)
    out = spmm(graph, x)
    torch.testing.assert_close(out, to_dense(edge_index, weight.float().double(), (7, 4)) @ x)
    assert torch.autograd.grad(out.sum(), graph.weight)[0].dtype == torch.float


def test_deterministic():
    edge_index, weight = random_edges(63, 100, 257)
    graph = csr_graph(edge_index, weight.float().requires_grad_(), size=(63, 100))
    x = torch.randn(63, 5, requires_grad=True)
    grad = torch.randn(100, 5)
    first, *others = [
        [out, *torch.autograd.grad(out, [graph.weight, x], grad)]
        for out in (spmm(graph, x) for _ in range(3))
    ]
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_transpose_equals_dense(shape):
    size = shape[:2]
    edge_index, weight = random_edges(*shape)
    graph = csr_graph(edge_index, weight, size=size)
    dense = to_dense(edge_index, weight, size)
    check_both_directions(graph, dense)
    check_both_directions(graph.transpose(), dense.T)
    check_both_directions(graph.transpose().transpose(), dense)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_select_equals_dense(shape, share):
    size = shape[:2]
    graph = csr_graph(*random_edges(*shape), size=size)
    mask = torch.rand(shape[2]) < share
    expected = to_dense(graph.edge_index[:, mask], graph.weight[mask], size)
    kept = graph.select(mask)
    assert kept.weight.numel() == int(mask.sum())
    check_both_directions(kept, expected)
    check_both_directions(kept.transpose(), expected.T)


def test_gradient_through_select_and_transpose():
    edge_index, weight = random_edges(7, 4, 30)
    weight.requires_grad_()
    graph = csr_graph(edge_index, weight, size=(7, 4))
    mask = torch.arange(30) % 3 > 0
    x = torch.randn(4, 2, dtype=torch.double)
    out = spmm(graph.select(mask).transpose(), x)
    (found,) = torch.autograd.grad(out.square().sum(), weight)

    kept = torch.zeros(30, dtype=torch.bool)
    kept[torch.argsort(edge_index[1] * 7 + edge_index[0], stable=True)] = mask
    expected = (to_dense(edge_index, weight * kept, (7, 4)).T @ x).square().sum()
    torch.testing.assert_close(found, torch.autograd.grad(expected, weight)[0])


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 1)])
def test_edge_index_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"edge_index must be \[2, E\]"):
        csr_graph(torch.zeros(shape, dtype=torch.long), size=(1, 1))


def test_edge_weight_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"edge_weight must be \[3\] \(got \[2\]\)"):
        csr_graph(torch.zeros(2, 3, dtype=torch.long), torch.ones(2), size=(1, 1))


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ((5, 0), r"source indices must lie in \[0, 5\) \(got 0\.\.5\)"),
        ((-1, 0), r"source indices must lie in \[0, 5\) \(got -1\.\.0\)"),
        ((0, 4), r"destination indices must lie in \[0, 4\) \(got 0\.\.4\)"),
        ((0, -2), r"destination indices must lie in \[0, 4\) \(got -2\.\.0\)"),
    ],
)
def test_index_outside_the_graph(edge, message):
    with pytest.raises(ValueError, match=message):
        csr_graph(torch.tensor([[0, edge[0]], [0, edge[1]]]), size=(5, 4))


@pytest.mark.parametrize("shape", [(4, 2), (5,), (5, 2, 1)])
def test_x_of_a_wrong_shape(shape):
    graph = csr_graph(torch.zeros(2, 1, dtype=torch.long), size=(5, 4))
    with pytest.raises(ValueError, match=r"x must be \[5, d\]"):
        spmm(graph, torch.zeros(shape))
