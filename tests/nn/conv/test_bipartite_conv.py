import pytest
import torch
from torch_geometric import EdgeIndex

from crane_pyg.nn import BipartiteConv
from crane_pyg.ops import csr_graph
from crane_pyg.transforms import bipartite_norm

M, N = 9, 6


@pytest.fixture
def adjacency():
    """``[M, N]``, with a user and an item that have no interaction."""
    a = (torch.rand(M, N, generator=torch.Generator().manual_seed(3)) < 0.4).double()
    a[2] = 0
    a[:, 4] = 0
    return a


def laplacian(a):
    """A_ui / sqrt(d_u d_i), zero where there is no edge."""
    norm = a.sum(1, keepdim=True).sqrt() * a.sum(0, keepdim=True).sqrt()
    return torch.where(a > 0, a / norm, 0)


def test_repr():
    assert str(BipartiteConv()) == "BipartiteConv(act=None)"
    assert str(BipartiteConv(8)) == "BipartiteConv(8, 8, act=None)"
    assert str(BipartiteConv(8, 4, act=torch.relu)) == "BipartiteConv(8, 4, act=relu)"
    assert str(BipartiteConv(8, 4, act=torch.nn.ReLU())) == "BipartiteConv(8, 4, act=ReLU())"


def test_path_of_three():
    # Users 0 and 1 took item 0: each weight is 1 / sqrt(1 * 2).
    edge_index = torch.tensor([[0, 1], [0, 0]])
    weight = bipartite_norm(edge_index, (2, 1))
    out = BipartiteConv()((torch.tensor([[1.0], [3.0]]), torch.zeros(1, 1)), edge_index, weight)
    assert out.item() == pytest.approx(4 / 2**0.5)


@pytest.mark.parametrize("widths", [None, (5, 5), (5, 3)])
@pytest.mark.parametrize("act", [None, torch.tanh])
@pytest.mark.parametrize("form", ["edge_index", "csr_graph", "EdgeIndex"])
def test_equals_equations_3_and_4(adjacency, widths, act, form):
    in_channels, out_channels = widths or (None, None)
    to_user = BipartiteConv(in_channels, out_channels, act=act).double()
    to_item = BipartiteConv(in_channels, out_channels, act=act).double()
    users = torch.randn(M, 5, dtype=torch.double, requires_grad=True)
    items = torch.randn(N, 5, dtype=torch.double, requires_grad=True)

    norm = laplacian(adjacency)
    sigma = act or (lambda x: x)
    weight_user, weight_item = (
        torch.eye(5, dtype=torch.double) if conv.lin is None else conv.lin.weight
        for conv in (to_user, to_item)
    )
    expected_user = sigma(norm @ (items @ weight_user.T))  # W e_i for every item, as column vectors
    expected_item = sigma(norm.T @ (users @ weight_item.T))

    edge_index = adjacency.nonzero().T.contiguous()  # users first
    weight = bipartite_norm(edge_index, (M, N)).double()
    weight = norm[edge_index[0], edge_index[1]].to(weight)  # beyond float32
    out_item = to_item((users, items), *graph(form, edge_index, weight, (M, N)))
    out_user = to_user((items, users), *graph(form, edge_index.flip(0), weight, (N, M)))
    torch.testing.assert_close(out_item, expected_item)
    torch.testing.assert_close(out_user, expected_user)

    inputs = {"users": users, "items": items}
    inputs |= {f"to_user.{name}": p for name, p in to_user.named_parameters()}
    inputs |= {f"to_item.{name}": p for name, p in to_item.named_parameters()}
    loss = out_user.square().sum() + out_item.pow(3).sum()
    expected_loss = expected_user.square().sum() + expected_item.pow(3).sum()
    found = torch.autograd.grad(loss, list(inputs.values()))
    wanted = torch.autograd.grad(expected_loss, list(inputs.values()))
    for name, a, b in zip(inputs, found, wanted, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")


def graph(form, edge_index, weight, size):
    if form == "csr_graph":
        return csr_graph(edge_index, weight, size=size), None
    if form == "EdgeIndex":
        order = torch.argsort(edge_index[1] * size[0] + edge_index[0])
        kept = EdgeIndex(edge_index[:, order], sparse_size=size, sort_order="col")
        return kept, weight[order]
    return edge_index, weight


def test_dropped_edges_keep_the_full_degrees(adjacency):
    """Eq. 3 takes the sampled edges and the degrees of the whole graph."""
    edge_index = adjacency.nonzero().T.contiguous()
    full = csr_graph(edge_index, bipartite_norm(edge_index, (M, N)), size=(M, N))
    keep = torch.arange(edge_index.size(1)) % 3 > 0
    sampled = torch.zeros_like(adjacency)
    user, item = full.edge_index[:, keep]
    sampled[user, item] = 1
    users = torch.randn(M, 4, dtype=torch.double)
    out = BipartiteConv()((users, None), full.select(keep))
    expected = (sampled * laplacian(adjacency)).T @ users
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-6)


def test_the_activation_comes_after_the_sum():
    edge_index = torch.tensor([[0, 1], [0, 0]])
    x = (torch.tensor([[2.0], [-3.0]]), torch.zeros(1, 1))
    assert BipartiteConv(act=torch.relu)(x, edge_index).item() == 0  # relu(2) + relu(-3) is 2


def test_reset_parameters():
    conv = BipartiteConv(8)
    torch.manual_seed(1)
    conv.reset_parameters()
    first = conv.lin.weight.clone()
    torch.manual_seed(1)
    conv.reset_parameters()
    assert torch.equal(conv.lin.weight, first)
    conv.reset_parameters()
    assert not torch.equal(conv.lin.weight, first)
    assert not list(BipartiteConv().parameters())


def test_out_channels_alone():
    with pytest.raises(ValueError, match=r"out_channels needs in_channels \(got out_channels=4\)"):
        BipartiteConv(out_channels=4)
