"""Nearest neighbours by each implementation, equal to a CPU's in float64."""

import pytest
import torch

from crane_pyg.ops import modality_knn_graph
from crane_pyg.ops.knn import edge_cosine, knn_graph
from tests.gpu.gpu_device import DEVICE, REHEARSAL
from tests.ops.knn.test_api import IMPLS, axes, brute_force, random_rows


@pytest.fixture(params=["auto", *IMPLS])
def impl(request):
    if request.param in IMPLS[1:]:
        pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("channels", [3, 16, 64])
@pytest.mark.parametrize("n", [63, 257])
def test_neighbours_are_those_of_a_cpu(impl, n, channels, loop):
    x = random_rows(n, channels)
    found = knn_graph(x.to(DEVICE), 10, loop=loop, impl=impl)
    assert torch.equal(found.cpu(), brute_force(x, 10, loop))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(impl, dtype):
    x = random_rows(63).to(dtype)
    assert torch.equal(knn_graph(x.to(DEVICE), 5, impl=impl).cpu(), brute_force(x, 5))


def test_autocast_changes_nothing(impl):
    x = random_rows(257, 64)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        found = knn_graph(x.to(DEVICE), 5, impl=impl)
    assert torch.equal(found.cpu(), brute_force(x, 5))


def test_items_that_are_masked_or_do_not_ask(impl):
    x = random_rows(100)
    mask, query = torch.arange(100) % 3 > 0, torch.arange(100) % 2 == 0
    x[~mask] = torch.nan
    expected = mask.nonzero().view(-1)[brute_force(x[mask], 4)]
    found = knn_graph(
        x.to(DEVICE), 4, mask=mask.to(DEVICE), query=query.to(DEVICE), impl=impl
    ).cpu()
    assert torch.equal(found, expected[:, query[expected[1]]])


@pytest.mark.parametrize("loop", [False, True])
def test_of_equals_the_first(loop):
    x = axes(*[i % 3 for i in range(60)])
    found = knn_graph(x.to(DEVICE), 4, loop=loop, impl="blocked")
    assert torch.equal(found.cpu(), brute_force(x, 4, loop))


def test_many_rows_in_several_blocks(impl):
    """Where two neighbours are as similar as float32 can tell, either will do."""
    n = 500 if REHEARSAL else 3_000
    x = random_rows(n)
    found = knn_graph(x.to(DEVICE), 10, impl=impl)
    exact = x.to(DEVICE).double()
    expected = brute_force(x, 10).to(DEVICE)
    torch.testing.assert_close(
        edge_cosine(exact, found), edge_cosine(exact, expected), rtol=0, atol=1e-6
    )
    assert (found == expected).all(dim=0).float().mean() > 0.999


def test_missing_modalities():
    xs = [random_rows(120, 8), random_rows(121, 5)[:120]]
    masks = [torch.arange(120) % 4 > 0, torch.arange(120) % 5 > 0]
    xs = [x * mask.view(-1, 1) for x, mask in zip(xs, masks, strict=True)]
    edges, cosine = modality_knn_graph(xs, masks, 5)
    found, found_cosine = modality_knn_graph(
        [x.to(DEVICE) for x in xs], [mask.to(DEVICE) for mask in masks], 5
    )
    assert torch.equal(found.cpu(), edges)
    torch.testing.assert_close(found_cosine.cpu(), cosine)


def test_gradient_of_the_cosines():
    x = random_rows(63).double()
    edges = brute_force(x, 5)

    def gradient(device):
        rows = x.to(device, copy=True).requires_grad_()
        edge_cosine(rows, edges.to(device)).square().sum().backward()
        return rows.grad.cpu()

    torch.testing.assert_close(gradient(DEVICE), gradient("cpu"))
