import importlib
import logging
import math

import pytest
import torch

from crane_pyg.ops.knn import edge_cosine, knn_graph

blocked_module = importlib.import_module("crane_pyg.ops.knn.blocked")
api_module = importlib.import_module("crane_pyg.ops.knn.api")
similarity_module = importlib.import_module("crane_pyg.ops.knn.similarity")

IMPLS = ["blocked", "torch_cluster", "pyg_lib"]


@pytest.fixture(params=IMPLS)
def impl(request):
    if request.param != "blocked":
        pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def block_rows(monkeypatch):
    """Sets how many rows of the similarity matrix a block holds."""

    def set_rows(rows, n, itemsize=4):
        monkeypatch.setattr(blocked_module, "CPU_BLOCK_BYTES", rows * n * itemsize)

    return set_rows


def random_rows(n, channels=16, dtype=torch.float32):
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(n), dtype=dtype)


def brute_force(x, k, loop=False):
    """Every pair in float64, one stable sort."""
    x = x.double()
    norm = x.norm(dim=1, keepdim=True)
    unit = x / norm.masked_fill(norm == 0, 1)
    sim = unit @ unit.T
    sim.fill_diagonal_(2.0 if loop else -2.0)
    neighbour = sim.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return torch.stack([neighbour.reshape(-1), torch.arange(len(x)).repeat_interleave(k)])


def fan(*degrees):
    """Points on rays from the origin, at different distances, so that only angles count."""
    angle = torch.tensor(degrees) * math.pi / 180
    length = torch.arange(1.0, len(degrees) + 1).view(-1, 1)
    return length * torch.stack([angle.cos(), angle.sin()], dim=1)


def test_five_points_on_a_fan(impl):
    x = fan(0, 10, 25, 60, 180)
    # The neighbours of each point, nearest first.
    expected = {0: (1, 2), 1: (0, 2), 2: (1, 0), 3: (2, 1), 4: (3, 2)}
    source = [j for pair in expected.values() for j in pair]
    target = [i for i in expected for _ in range(2)]
    assert knn_graph(x, 2, impl=impl).tolist() == [source, target]


def test_five_points_on_a_fan_with_loops(impl):
    x = fan(0, 10, 25, 60, 180)
    expected = [[0, 1, 1, 0, 2, 1, 3, 2, 4, 3], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]
    assert knn_graph(x, 2, loop=True, impl=impl).tolist() == expected


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
@pytest.mark.parametrize(("n", "k"), [(2, 1), (63, 5), (100, 99), (257, 10)])
def test_blocked_matches_brute_force(block_rows, monkeypatch, n, k, rows, loop):
    monkeypatch.setattr(api_module, "_ROWS", rows)
    x = random_rows(n)
    block_rows(rows, n)
    assert torch.equal(knn_graph(x, k, loop=loop, impl="blocked"), brute_force(x, k, loop))


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("impl_name", IMPLS[1:])
def test_others_match_blocked(impl_name, channels, loop):
    pytest.importorskip(impl_name)
    n = 257 if channels > 1 else 2
    x, k = random_rows(n, channels), min(10, n - 1)
    expected = knn_graph(x, k, loop=loop, impl="blocked")
    assert torch.equal(knn_graph(x, k, loop=loop, impl=impl_name), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(impl, dtype):
    x = random_rows(63).to(dtype)
    assert torch.equal(knn_graph(x, 5, impl=impl), brute_force(x, 5))


def test_strided_rows(impl):
    x = random_rows(63)
    strided = x.T.contiguous().T
    assert torch.equal(knn_graph(strided, 5, impl=impl), brute_force(x, 5))


def test_autocast_changes_nothing(impl):
    x = random_rows(257, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        edge_index = knn_graph(x, 5, impl=impl)
    assert torch.equal(edge_index, brute_force(x, 5))


def test_rows_of_any_magnitude(impl):
    x = random_rows(63)
    scale = torch.tensor([1e-30, 1.0, 1e30]).repeat(21).view(-1, 1)
    assert torch.equal(knn_graph(x * scale, 5, impl=impl), knn_graph(x, 5, impl=impl))


def test_k_up_to_one_less_than_the_items(impl):
    x = random_rows(9)
    assert knn_graph(x, 8, impl=impl).shape == (2, 72)
    assert torch.equal(knn_graph(x, 8, loop=True, impl=impl), brute_force(x, 8, loop=True))
    assert knn_graph(x, 1, loop=True, impl=impl).tolist() == [list(range(9))] * 2


@pytest.mark.parametrize("rows", [7, 1000])
@pytest.mark.parametrize("loop", [False, True])
def test_some_items_ask(impl, block_rows, rows, loop):
    block_rows(rows, 67)
    x = random_rows(100)
    x[50] = 0
    mask, query = torch.arange(100) % 3 > 0, torch.arange(100) % 2 == 0
    every = knn_graph(x, 4, loop=loop, mask=mask, impl=impl)
    some = knn_graph(x, 4, loop=loop, mask=mask, query=query, impl=impl)
    assert torch.equal(some, every[:, query[every[1]]])
    assert knn_graph(x, 4, query=torch.zeros_like(query), impl=impl).shape == (2, 0)


def test_masked_items_neither_have_nor_are_neighbours(impl):
    x = random_rows(100)
    mask = torch.arange(100) % 3 > 0
    x[~mask] = torch.nan
    edge_index = knn_graph(x, 4, mask=mask, impl=impl)
    assert torch.equal(edge_index, mask.nonzero().view(-1)[brute_force(x[mask], 4)])


# Rows along the axes: their cosines are exact, so ties are ties on every machine.
def axes(*numbers, length=4):
    return torch.eye(length)[list(numbers)] * torch.arange(1.0, len(numbers) + 1).view(-1, 1)


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_blocked_breaks_ties_by_index(block_rows, rows):
    x = axes(0, 1, 0, 1, 0, 0, 2)
    block_rows(rows, len(x))
    edge_index = knn_graph(x, 2, impl="blocked")
    expected = [(2, 4), (3, 0), (0, 4), (1, 0), (0, 2), (0, 2), (0, 1)]
    assert edge_index[0].view(-1, 2).tolist() == [list(pair) for pair in expected]
    assert torch.equal(knn_graph(x, 3, impl="blocked"), brute_force(x, 3))


@pytest.mark.parametrize("loop", [False, True])
def test_many_duplicates(impl, loop):
    x = axes(*[i % 3 for i in range(60)])
    edge_index = knn_graph(x, 4, loop=loop, impl=impl)
    source, target = edge_index.view(2, 60, 4)
    assert (source % 3 == target % 3).all()
    assert ((source == target).sum(dim=1) == loop).all()
    assert all(len(set(row)) == 4 for row in source.tolist())
    others = source[:, int(loop) :]
    assert (others.diff(dim=1) > 0).all()
    if loop:
        assert torch.equal(source[:, 0], target[:, 0])
    if impl == "blocked":
        assert torch.equal(edge_index, brute_force(x, 4, loop))


def test_zero_rows_have_similarity_zero(impl):
    x = torch.tensor([[0.0, 0.0], [1.0, 0.1], [1.0, -0.1], [-1.0, 0.0], [0.0, 0.0]])
    # Row 1: row 2 at cosine 0.98, the zeros at 0, and row 3, opposite, last.
    source = knn_graph(x, 4, impl=impl)[0].view(5, 4).tolist()
    assert source == [[1, 2, 3, 4], [2, 0, 4, 3], [1, 0, 4, 3], [0, 4, 1, 2], [0, 1, 2, 3]]
    assert knn_graph(x, 2, loop=True, impl=impl)[0].view(5, 2).tolist() == [
        [0, 1], [1, 2], [2, 1], [3, 0], [4, 0],
    ]  # fmt: skip


def test_zero_rows_are_no_nearer_than_an_acute_angle(impl):
    x = torch.cat([torch.zeros(3, 2), fan(0, 70, 155)])
    assert knn_graph(x, 1, impl=impl)[0].tolist() == [1, 0, 0, 4, 3, 4]


def test_zero_rows_only(impl):
    x = torch.zeros(6, 3)
    assert torch.equal(knn_graph(x, 2, impl=impl), brute_force(x, 2))
    assert torch.equal(knn_graph(x, 5, loop=True, impl=impl), brute_force(x, 5, loop=True))


def test_carries_no_gradient(impl):
    x = random_rows(9).requires_grad_()
    assert not knn_graph(x, 2, impl=impl).requires_grad


@pytest.mark.parametrize(
    ("x", "kwargs", "message"),
    [
        (torch.ones(5, 2), {"k": 0}, r"k must be at least 1 \(got 0\)"),
        (torch.ones(5, 2), {"k": 5}, r"k must be smaller than .* items \(got k=5, items=5\)"),
        (torch.ones(1, 2), {"k": 1}, r"k must be smaller than .* items \(got k=1, items=1\)"),
        (torch.ones(5, 2), {"k": 5, "loop": True}, r"smaller than .* \(got k=5, items=5\)"),
        (torch.ones(3, 2), {"k": 2, "mask": torch.tensor([1, 1, 0]).bool()}, r"k=2, items=2"),
        (torch.ones(5), {"k": 2}, r"matrix with at least one channel \(got .* shape \(5,\)\)"),
        (torch.ones(5, 0), {"k": 2}, r"at least one channel \(got .* shape \(5, 0\)\)"),
        (torch.ones(5, 2).long(), {"k": 2}, r"floating-point matrix .* \(got torch.int64"),
        (torch.tensor([[1.0], [torch.nan], [torch.inf]]), {"k": 1}, r"infinity in row 1\)"),
        (torch.tensor([[1.0], [2.0], [torch.inf]]), {"k": 1}, r"infinity in row 2\)"),
        (torch.ones(5, 2), {"k": 2, "mask": torch.ones(5)}, r"mask must be boolean of shape \(5,"),
        (torch.ones(5, 2), {"k": 2, "query": torch.ones(5)}, r"query must be boolean .*\(5,"),
        (torch.ones(5, 2), {"k": 2, "mask": torch.ones(4).bool()}, r"\(got torch.bool .* \(4,\)\)"),
        (torch.ones(5, 2), {"k": 2, "impl": "annoy"}, r"'torch_cluster', .*\(got 'annoy'\)"),
    ],
)
def test_errors(x, kwargs, message):
    with pytest.raises(ValueError, match=message):
        knn_graph(x, **kwargs)


@pytest.mark.parametrize(
    ("impl", "package"), [("torch_cluster", "torch-cluster"), ("pyg_lib", "pyg-lib")]
)
def test_a_named_implementation_never_falls_back(monkeypatch, impl, package):
    monkeypatch.setitem(importlib.sys.modules, "torch_cluster", None)
    monkeypatch.setattr("torch_geometric.typing.WITH_KNN", False, raising=False)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        knn_graph(random_rows(5), 2, impl=impl)


def test_pyg_lib_reads_the_answer_of_pyg(monkeypatch):
    """Holds without pyg-lib: torch_cluster answers in the same form."""
    torch_cluster = pytest.importorskip("torch_cluster")
    monkeypatch.setattr("torch_geometric.typing.WITH_KNN", True, raising=False)
    monkeypatch.setattr("torch_geometric.nn.pool.knn", torch_cluster.knn)
    x = random_rows(63)
    assert torch.equal(knn_graph(x, 5, impl="pyg_lib"), brute_force(x, 5))


@pytest.mark.parametrize(
    ("n", "channels", "installed", "choice"),
    [
        (600, 3, {"torch_cluster", "pyg_lib"}, "torch_cluster"),
        (600, 3, {"pyg_lib"}, "pyg_lib"),
        (600, 3, set(), "blocked"),
        (600, 16, {"torch_cluster", "pyg_lib"}, "blocked"),
        (60, 3, {"torch_cluster", "pyg_lib"}, "blocked"),
    ],
)
def test_auto_logs_its_choice(monkeypatch, caplog, n, channels, installed, choice):
    taken = []

    def stub(unit, k, query):
        taken.append(choice)
        return blocked_module.blocked(unit, k, query)

    monkeypatch.setattr(api_module, "find_spec", lambda name: name in installed or None)
    monkeypatch.setitem(api_module._IMPLS, choice, stub)
    api_module._log_choice.cache_clear()
    with caplog.at_level(logging.DEBUG, logger="crane_pyg"):
        for _ in range(2):
            knn_graph(random_rows(n, channels), 4)
    assert taken == [choice] * 2
    assert caplog.messages == [f"knn_graph: auto took {choice} for {n} x {channels}"]


def test_edge_cosine_by_hand():
    x = torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, -2.0], [0.0, 0.0]])
    edge_index = torch.tensor([[0, 0, 1, 3, 3, 2], [1, 2, 2, 0, 3, 2]])
    half = math.sqrt(0.5)
    expected = torch.tensor([half, 0.0, -half, 0.0, 0.0, 1.0])
    torch.testing.assert_close(edge_cosine(x, edge_index), expected)
    assert edge_cosine(x.bfloat16(), edge_index).dtype == torch.bfloat16
    assert edge_cosine(x, edge_index[:, :0]).shape == (0,)


@pytest.mark.parametrize("chunk", [1, 35, 1000])
def test_edge_cosine_gradient(chunk, monkeypatch):
    monkeypatch.setattr(similarity_module, "CHUNK", chunk)
    x = random_rows(20, 5, torch.float64).requires_grad_()
    edge_index = knn_graph(x, 4, loop=True)
    assert torch.autograd.gradcheck(lambda x: edge_cosine(x, edge_index), x)


def test_edge_cosine_gradient_of_zero_rows_is_zero():
    x = random_rows(20, 5)
    x[3] = 0
    x.requires_grad_()
    edge_cosine(x, knn_graph(x, 4)).sum().backward()
    assert x.grad.isfinite().all()
    assert not x.grad[3].any()
    assert x.grad[4].any()
