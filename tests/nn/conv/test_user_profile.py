import pytest
import torch
from torch_geometric import EdgeIndex

from crane_pyg.nn import UserProfile
from crane_pyg.ops import csr_graph

# Of the process's first torch CSR matrix, by torch_sparse or by a test here.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")

M, N, WIDTH = 8, 6, 3
AGGREGATIONS = ["sum", "mean", "max", "attention", "sqrt"]
FORMS = ["edge_index", "csr_graph", "SparseTensor", "valued SparseTensor", "torch CSR"]
FORMS += ["EdgeIndex", "sorted EdgeIndex"]
# Item 4 has no user, users 3 and 7 have no item; masking items 0 and 5 leaves user 1 with none.
PAIRS = [(0, 0), (0, 1), (1, 0), (1, 5), (2, 1), (2, 2), (2, 3), (4, 2), (5, 3), (5, 0), (6, 5)]
MASK = torch.tensor([False, True, True, True, True, False])


def item_to_user():
    return torch.tensor(PAIRS).T.flip(0).contiguous()


def graph(form, edge_index, size=(N, M)):
    order = torch.argsort(edge_index[1] * size[0] + edge_index[0])
    ordered = edge_index[:, order]
    ones = torch.ones(edge_index.size(1), dtype=torch.double)
    if form == "csr_graph":
        return csr_graph(edge_index, size=size)
    if form.endswith("SparseTensor"):
        torch_sparse = pytest.importorskip("torch_sparse")
        value = ones if form.startswith("valued") else None
        src, dst = edge_index
        return torch_sparse.SparseTensor(row=dst, col=src, value=value, sparse_sizes=size[::-1])
    if form == "torch CSR":
        ptr = torch.bincount(edge_index[1] + 1, minlength=size[1] + 1).cumsum(0)
        return torch.sparse_csr_tensor(ptr, ordered[0], ones, size=size[::-1])
    if form == "EdgeIndex":
        return EdgeIndex(edge_index, sparse_size=size)
    if form == "sorted EdgeIndex":
        return EdgeIndex(ordered, sparse_size=size, sort_order="col")
    return edge_index


def oracle(profile, x, mask=None):
    """User by user, item by item."""
    rows = []
    for u in range(M):
        items = [i for v, i in PAIRS if v == u and (mask is None or mask[i])]
        own = x[items]  # [number of items, d]
        if not items:
            rows.append(x.new_zeros(x.size(1)))
        elif profile.profile == "max":
            rows.append(own.max(dim=0).values)
        elif profile.profile == "attention":
            gate = profile.aggr_module.gate_nn
            score = own @ gate.weight.T + gate.bias
            alpha = score.exp() / score.exp().sum()
            rows.append((alpha * own).sum(0))
        else:
            divisor = {"sum": 1, "mean": len(items), "sqrt": len(items) ** 0.5}[profile.profile]
            rows.append(own.sum(0) / divisor)
    return torch.stack(rows)


@pytest.mark.parametrize("aggr", AGGREGATIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_equals_the_loop_over_users(aggr, form, mask):
    profile = UserProfile(aggr, WIDTH).double()
    x = torch.randn(N, WIDTH, dtype=torch.double, requires_grad=True)
    expected = oracle(profile, x, mask)
    adj = graph(form, item_to_user())
    num_users = M if form == "edge_index" else None
    out = profile(x, adj, num_users, mask)
    torch.testing.assert_close(out, expected)
    assert out[3].eq(0).all()
    assert out[7].eq(0).all()
    rows = torch.tensor([7, 2, 0])
    torch.testing.assert_close(profile(x, adj, num_users, mask, rows), out[rows])

    inputs = {"x": x, **dict(profile.named_parameters())}
    grad = torch.randn(M, WIDTH, dtype=torch.double)
    found = torch.autograd.grad(out, list(inputs.values()), grad)
    wanted = torch.autograd.grad(expected, list(inputs.values()), grad)
    for name, a, b in zip(inputs, found, wanted, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("aggr", AGGREGATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_without_any_edge(aggr, form):
    profile = UserProfile(aggr, WIDTH).double()
    x = torch.randn(N, WIDTH, dtype=torch.double, requires_grad=True)
    adj = graph(form, torch.empty(2, 0, dtype=torch.long))
    out = profile(x, adj, M)
    assert out.shape == (M, WIDTH)
    assert out.eq(0).all()
    if out.requires_grad:
        out.sum().backward()
        assert x.grad is None or x.grad.eq(0).all()


@pytest.mark.parametrize("aggr", AGGREGATIONS)
def test_masked_items_may_hold_anything(aggr):
    profile = UserProfile(aggr, WIDTH)
    x = torch.randn(N, WIDTH)
    expected = profile(x, item_to_user(), M, MASK)
    x[~MASK] = torch.nan
    x.requires_grad_()
    out = profile(x, item_to_user(), M, MASK)
    torch.testing.assert_close(out, expected)
    out.sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad[~MASK].eq(0).all()


@pytest.mark.parametrize("aggr", AGGREGATIONS)
def test_number_of_users_of_a_plain_edge_index(aggr):
    profile = UserProfile(aggr, WIDTH)
    x = torch.randn(N, WIDTH)
    full = profile(x, item_to_user(), M)
    # One more than the largest user, 6, masked or not: item 5 was all that user 6 took.
    torch.testing.assert_close(profile(x, item_to_user()), full[:7])
    torch.testing.assert_close(
        profile(x, item_to_user(), mask=MASK), profile(x, item_to_user(), M, MASK)[:7]
    )
    assert profile(x, torch.empty(2, 0, dtype=torch.long)).shape == (0, WIDTH)


@pytest.mark.parametrize("aggr", ["sum", "mean", "sqrt"])
def test_a_linear_map_commutes(aggr):
    """Eq. 5 on projected items is the projection of eq. 5: what makes wide features affordable."""
    wide = torch.randn(N, 50, dtype=torch.double)
    weight = torch.randn(50, WIDTH, dtype=torch.double)
    profile, adj = UserProfile(aggr), graph("csr_graph", item_to_user())
    torch.testing.assert_close(profile(wide @ weight, adj), profile(wide, adj) @ weight)


@pytest.mark.parametrize("aggr", AGGREGATIONS)
@pytest.mark.parametrize("form", ["csr_graph", "valued SparseTensor", "torch CSR"])
def test_refuses_weights(aggr, form):
    adj = graph(form, item_to_user())
    if form == "csr_graph":
        adj = adj.with_weight(adj.weight * 0.5)
    elif form == "torch CSR":
        adj = adj * 0.5
    else:
        adj = adj.set_value(adj.storage.value() * 0.5, layout="coo")
    with pytest.raises(ValueError, match=r"edge weights must be one .* \(got 0\.5\.\.0\.5\)"):
        UserProfile(aggr, WIDTH)(torch.randn(N, WIDTH, dtype=torch.double), adj)


@pytest.mark.parametrize("form", ["csr_graph", "SparseTensor", "torch CSR", "EdgeIndex"])
def test_contradicting_number_of_users(form):
    with pytest.raises(ValueError, match=r"num_users must be that of the graph, 8 \(got 9\)"):
        UserProfile()(torch.randn(N, WIDTH), graph(form, item_to_user()), 9)


def test_errors_of_the_constructor():
    with pytest.raises(ValueError, match=r"aggr must be one of 'sum', .* \(got 'median'\)"):
        UserProfile("median")
    with pytest.raises(ValueError, match=r"needs the width of the items \(got channels=None\)"):
        UserProfile("attention")


def test_repr():
    assert str(UserProfile()) == "UserProfile('sum')"
    assert str(UserProfile("attention", 8)) == "UserProfile('attention', channels=8)"


def test_reset_parameters():
    profile = UserProfile("attention", 8)
    gate = profile.aggr_module.gate_nn
    before = gate.weight.clone()
    profile.reset_parameters()
    assert not torch.equal(gate.weight, before)
    assert [name for name, _ in profile.named_parameters()] == [
        "aggr_module.gate_nn.weight",
        "aggr_module.gate_nn.bias",
    ]
