import pytest
import torch

from crane_pyg.transforms import bipartite_norm, row_normalize, symmetric_norm


def test_bipartite_norm_of_a_small_graph():
    # User 0 took items 0 and 1, user 2 took item 1; user 1 and item 2 have no edge.
    weight = bipartite_norm(torch.tensor([[0, 0, 2], [0, 1, 1]]), (3, 3))
    assert weight.tolist() == pytest.approx([2**-0.5, 0.5, 2**-0.5])
    assert weight.dtype == torch.float


def test_bipartite_norm_equals_the_dense_laplacian():
    a = (torch.rand(20, 11) < 0.3).double()
    edge_index = a.nonzero().T
    expected = 1 / (a.sum(1)[edge_index[0]] * a.sum(0)[edge_index[1]]).sqrt()
    torch.testing.assert_close(
        bipartite_norm(edge_index, (20, 11)).double(), expected, rtol=1e-6, atol=0
    )
    flipped = bipartite_norm(edge_index.flip(0), (11, 20))
    assert torch.equal(flipped, bipartite_norm(edge_index, (20, 11)))


def test_without_edges():
    empty = torch.empty(2, 0, dtype=torch.long)
    assert bipartite_norm(empty, (3, 2)).shape == (0,)
    assert row_normalize(empty, torch.empty(0), 3).shape == (0,)


def test_row_normalize_of_a_small_graph():
    # Destination 0 hears weights 3 and 1, destination 2 hears 5, destination 1 nothing.
    edge_index = torch.tensor([[1, 2, 0], [0, 0, 2]])
    weight = row_normalize(edge_index, torch.tensor([3.0, 1.0, 5.0]), 3)
    assert weight.tolist() == [0.75, 0.25, 1.0]


def test_row_normalize_equals_dense_with_gradient():
    edge_index = (torch.rand(9, 9) < 0.4).nonzero().T  # sources first
    weight = torch.randn(edge_index.size(1), dtype=torch.double, requires_grad=True)
    dense = weight.new_zeros(9, 9).index_put((edge_index[1], edge_index[0]), weight)
    dense = dense / dense.abs().sum(1, keepdim=True).clamp(min=1e-12)
    expected = dense[edge_index[1], edge_index[0]]
    out = row_normalize(edge_index, weight, 9)
    torch.testing.assert_close(out, expected)
    grad = torch.randn_like(weight)
    torch.testing.assert_close(
        torch.autograd.grad(out, weight, grad), torch.autograd.grad(expected, weight, grad)
    )


def test_row_normalize_where_signs_cancel():
    """Divided by their plain sum, 0.001, these would become 500 and -499."""
    weight = row_normalize(torch.tensor([[0, 1], [0, 0]]), torch.tensor([0.5, -0.499]), 2)
    assert weight.tolist() == pytest.approx([0.5 / 0.999, -0.499 / 0.999])


def test_row_normalize_of_zeros():
    weight = torch.zeros(2, requires_grad=True)
    out = row_normalize(torch.tensor([[0, 1], [0, 0]]), weight, 2)
    assert out.tolist() == [0, 0]


def test_symmetric_norm_against_the_dense_laplacian():
    edge_index = torch.tensor([[1, 2, 0, 2, 0, 3], [0, 0, 1, 1, 2, 2]])
    weight = torch.tensor([0.5, 0.25, 0.5, 0.5, 0.1, 0.7], dtype=torch.float64, requires_grad=True)
    dense = torch.zeros(4, 4, dtype=torch.float64).index_put((edge_index[1], edge_index[0]), weight)
    degree = dense.sum(1)
    degree = torch.where(degree > 0, degree.clamp(min=1e-9).rsqrt(), 0)
    expected = (degree.view(-1, 1) * dense * degree)[edge_index[1], edge_index[0]]
    actual = symmetric_norm(edge_index, weight, 4)
    torch.testing.assert_close(actual, expected)
    assert actual[-1] == 0  # node 3 has no neighbours of its own
    assert torch.autograd.gradcheck(lambda w: symmetric_norm(edge_index, w, 4), weight)


def test_symmetric_norm_of_weights_that_do_not_sum_to_something_positive():
    edge_index = torch.tensor([[1, 2, 2], [0, 0, 1]])
    weight = torch.tensor([1.0, -1.0, 1.0])
    assert symmetric_norm(edge_index, weight, 3).tolist() == [0, 0, 0]
