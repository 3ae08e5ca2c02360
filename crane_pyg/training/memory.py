"""The peak memory of a device."""

import contextlib
import ctypes
import gc
import resource
import sys
from pathlib import Path

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST = 1 << 29  # bytes; what is larger goes back at once


def peak_memory_mb(device: torch.device) -> float:
    """Returns the peak so far in MiB, on CUDA that of torch's allocator, elsewhere the process's.

    Args:
        device: where the tensors are.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak so far, on CUDA and Linux; elsewhere the process's whole peak stays.

    Args:
        device: where the tensors are.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a closed /proc, another C library
            ctypes.CDLL(None).malloc_trim(0)  # what an earlier run freed would count
            Path("/proc/self/clear_refs").write_text("5")


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for its next tensors; with glibc, elsewhere nothing.

    Otherwise every tensor above 32 MB comes from the kernel anew, page by page and zeroed: of a
    graph of 200,000 nodes that took longer than what a step computes.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
            library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
