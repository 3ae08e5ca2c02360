"""The peak memory of a device."""

import contextlib
import ctypes
import gc
import resource
import sys
from pathlib import Path

import torch


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
