import os
import signal
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.datasets import build_hetero_data

# Deterministic algorithms, which poison memory, refuse matrix products on CUDA without it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are shared: one thread here, and in what starts
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def killed() -> Callable[[Callable[[], None]], None]:
    """Runs a function in a copy of this process, which must be killed there."""

    def run(function: Callable[[], None]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which the copy does without
            child = os.fork()
        if child == 0:
            try:
                function()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL

    return run


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    """Fills the memory of torch.empty with NaN."""
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def checkerboard() -> HeteroData:
    """See :func:`build_checkerboard`."""
    return build_checkerboard()


def build_checkerboard() -> HeteroData:
    """Even users like even items, odd users odd ones; each split holds out a pair of each user."""
    num_users, num_items = 24, 40
    pairs = [(u, i) for u in range(num_users) for i in range(num_items) if u % 2 == i % 2]
    edge_index = torch.tensor(pairs).T  # twenty pairs a user
    rank = torch.arange(edge_index.size(1)) % (num_items // 2)
    user = edge_index[0]
    label = torch.zeros_like(rank)
    label[rank == user % 20] = 1
    label[rank == (user + 1) % 20] = 2
    parity = torch.arange(num_items) % 2
    return build_hetero_data(
        edge_index,
        label,
        num_users=num_users,
        num_items=num_items,
        features={"visual": _clustered(parity, 12), "textual": _clustered(parity, 5)},
    )


def _clustered(cluster: Tensor, width: int) -> Tensor:
    centre = torch.randn(2, width, generator=torch.Generator().manual_seed(width))
    noise = torch.randn(cluster.numel(), width, generator=torch.Generator().manual_seed(1))
    return centre[cluster] + 0.1 * noise
