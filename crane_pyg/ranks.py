"""Several processes, started by ``torchrun``, that train one model or rank with it together.

All ranks run the same program on the same data. Here is how they come together, and how rows are
shared out among them; :class:`crane_pyg.nn.columns.Columns` says how embeddings are.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard

TIMEOUT = timedelta(minutes=5)  # for a rank that hangs; one that dies is found at once

_together = False


class LostRankError(ConnectionError):
    """Another rank has ended, or did not answer in time."""


def launched() -> int:
    """How many ranks the launcher started; one without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def size() -> int:
    """How many ranks are together."""
    return dist.get_world_size() if _together else 1


def is_first() -> bool:
    """Whether this is the rank that prints and writes."""
    return not _together or dist.get_rank() == 0


@contextmanager
def together() -> Iterator[None]:
    """Join the ranks that ``torchrun`` started until the block ends; alone, do nothing.

    The first rank alone prints. Of the errors that end ranks the first is raised, wherever it is;
    the other ranks exit in silence, with status 2. A process group that is there already, such as
    Ray Train's, is taken as it is.

    Raises:
        LostRankError: in the place of torch's own, where another rank ended.
    """
    global _together
    if launched() == 1 or _together:
        yield
        return
    store: Any = None
    try:
        if not dist.is_initialized():
            store = _start()
        _together = True
        with nullcontext() if is_first() else _silence():
            yield
        barrier()  # who ended before the others would be lost to them
        if store is not None:
            dist.destroy_process_group()
    except BaseException as error:
        if not _is_first_to_tell(store):
            raise SystemExit(2) from error
        if _is_of_the_network(error):
            raise LostRankError(
                f"another of the {launched()} ranks has ended, or did not answer for "
                f"{TIMEOUT.total_seconds():.0f} s: see the launcher's own report"
            ) from error
        raise
    finally:
        _together = False


def _start() -> Any:
    """As torch does by itself, but the store is returned: it outlives the ranks."""
    store, rank, world_size = next(iter(rendezvous("env://", timeout=TIMEOUT)))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        # One launcher's store outlives restarts, too: what an earlier attempt left there leads
        # nowhere. Several launchers meet in a new one, and may count differently.
        attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
        store = dist.PrefixStore(attempt, store)  # type: ignore[attr-defined]
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, None, TIMEOUT, world_size, rank, store)
    return store


def _is_first_to_tell(store: Any) -> bool:
    try:
        return store is None or store.add("told", 1) == 1
    except (RuntimeError, dist.DistError):  # gone with its host
        return True


def _is_of_the_network(error: BaseException) -> bool:
    words = ("connection", "timed out", "timeout", "nccl", "gloo")  # torch has no type for it
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )


@contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def own_device(device: torch.device) -> torch.device:
    """The GPU of this rank among those of its machine; another device as it is.

    Args:
        device: what was asked for.

    Raises:
        ValueError: if the machine has fewer GPUs than ranks, or one of them was asked for.
    """
    if launched() == 1 or device.type != "cuda":
        return device
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if device.index is not None or number >= count:
        raise ValueError(
            f"each rank needs a GPU of its own, and the device must be 'cuda' (got {count} GPUs, "
            f"rank {number} of this machine and '{device}')"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def barrier() -> None:
    """Wait until all ranks have come here."""
    if _together:
        dist.barrier()


def check_alike(what: str, value: Any) -> None:
    """Refuse to go on where ranks have different values.

    Args:
        what: its name, for the message.
        value: what all should have.

    Raises:
        ValueError: if a rank has another.
    """
    found = [value] * size()
    if _together:
        dist.all_gather_object(found, value)
    if different := [rank for rank, there in enumerate(found) if there != found[0]]:
        raise ValueError(f"all ranks must have the same {what} (got others on ranks {different})")


def make_alike(tensors: list[Tensor]) -> None:
    """Overwrite tensors by those of the first rank.

    Args:
        tensors: of the same shapes on all ranks.
    """
    for x in tensors:
        if _together:
            dist.broadcast(x, 0)


def share(rows: int) -> slice:
    """Which of some rows are this rank's.

    Args:
        rows: how many there are.
    """
    if not _together:
        return slice(0, rows)
    each = -(-rows // size())
    start = min(rows, dist.get_rank() * each)
    return slice(start, min(rows, start + each))


def gather_shares(x: Tensor, rows: int) -> Tensor:
    """The rows of all ranks, each of which has its :func:`share`.

    Args:
        x (Tensor): those of this rank.
        rows: how many there are on all.

    Shapes:
        - **x:** ``[n, *]``
        - **output:** ``[rows, *]``
    """
    if not _together:
        return x
    shape = torch.Size((rows, *x.shape[1:]))
    stride = torch.empty(shape, device="meta").stride()
    whole: Tensor = placed(x, Shard(0), shape=shape, stride=stride).full_tensor()
    return whole


def by_rows(function: Callable[..., Tensor], rows: Tensor, *others: Tensor) -> Tensor:
    """Compute a function of rows, each rank for its share of them; differentiable.

    Args:
        function: of rows and others; each row of the result comes of the same row alone.
        rows (Tensor): the same on all ranks.
        *others (Tensor): likewise.

    Shapes:
        - **rows:** ``[n, *]``
        - **output:** ``[n, *]``
    """
    if not _together:
        return function(rows, *others)
    own = placed(rows, Replicate()).redistribute(placements=[Shard(0)]).to_local()
    return gather_shares(function(own, *(used_in_parts(x) for x in others)), rows.size(0))


def used_in_parts(x: Tensor) -> Tensor:
    """What is the same on all ranks, to be used by each for a part of the result: its gradient is
    the sum over the ranks.

    Args:
        x (Tensor): the same on all ranks.
    """
    if not (_together and x.requires_grad):
        return x
    return placed(x, Replicate()).to_local(grad_placements=[Partial()])


def placed(x: Tensor, placement: Placement, **whole: Any) -> DTensor:
    """What all ranks have together, as torch has it.

    Args:
        x (Tensor): what this rank has.
        placement: how that lies in the whole.
        **whole: ``shape`` and ``stride`` of the whole, where ranks do not have equally much.
    """
    mesh = _mesh(x.device.type)
    return DTensor.from_local(x, mesh, [placement], run_check=False, **whole)


_meshes: dict[tuple[str, int], DeviceMesh] = {}


def _mesh(device_type: str) -> DeviceMesh:
    # One for each process group: those of an earlier one are of no use.
    key = (device_type, id(dist.group.WORLD))
    if key not in _meshes:
        _meshes[key] = init_device_mesh(device_type, (size(),))
    return _meshes[key]
