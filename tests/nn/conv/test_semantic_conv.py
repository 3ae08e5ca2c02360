import pytest
import torch
from torch_geometric import EdgeIndex

from crane_pyg.nn import SemanticConv
from crane_pyg.ops import csr_graph, edge_cosine, knn_graph
from crane_pyg.transforms import row_normalize

N, K = 12, 3


def dense_semantic_graph(x_att, k, loop):
    """Eq. 14: cosines; the k largest of each row, divided by their sum (of absolute values)."""
    unit = x_att / x_att.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T
    allowed = cosine.detach().clone()
    if not loop:
        allowed.fill_diagonal_(-torch.inf)
    top = torch.zeros_like(cosine).scatter(1, allowed.topk(k, dim=1).indices, 1.0)
    kept = cosine * top
    return kept / kept.abs().sum(1, keepdim=True)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("form", ["edge_index", "csr_graph", "EdgeIndex"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_equals_equations_14_and_15(loop, form, num_layers):
    x_att = torch.randn(N, 4, dtype=torch.double, requires_grad=True)
    e = torch.randn(N, 5, dtype=torch.double, requires_grad=True)
    expected = e
    for _ in range(num_layers):
        expected = dense_semantic_graph(x_att, K, loop) @ expected

    edge_index = knn_graph(x_att.detach(), K, loop=loop)
    weight = row_normalize(edge_index, edge_cosine(x_att, edge_index), N)
    if form == "csr_graph":
        adj, edge_weight = csr_graph(edge_index, weight, size=(N, N)), None
    elif form == "EdgeIndex":  # knn_graph sorts by destination
        adj, edge_weight = EdgeIndex(edge_index, sparse_size=(N, N), sort_order="col"), weight
    else:
        adj, edge_weight = edge_index, weight
    conv, h = SemanticConv(), e
    for _ in range(num_layers):
        h = conv(h, adj, edge_weight)
    torch.testing.assert_close(h, expected)

    grad = torch.randn(N, 5, dtype=torch.double)
    found = torch.autograd.grad(h, [e, x_att], grad)
    wanted = torch.autograd.grad(expected, [e, x_att], grad)
    torch.testing.assert_close(found, wanted)
    assert found[1].abs().max() > 1e-3  # cross-modal attention does learn through the weights


def test_two_neighbours():
    # Item 0 hears item 1 with weight 3/4 and item 2 with weight 1/4.
    edge_index = torch.tensor([[1, 2], [0, 0]])
    weight = row_normalize(edge_index, torch.tensor([0.6, 0.2]), 3)
    h = SemanticConv()(torch.tensor([[1.0], [4.0], [8.0]]), edge_index, weight)
    assert h.view(-1).tolist() == pytest.approx([5, 0, 0])


def test_repr():
    assert str(SemanticConv()) == "SemanticConv()"
    assert not list(SemanticConv().parameters())
