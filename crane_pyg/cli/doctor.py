"""``python -m crane_pyg doctor``."""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from crane_pyg import __version__
from crane_pyg.choices import options_of
from crane_pyg.training.trackers import TrackerName

NEEDED = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "pandas", "safetensors")

# What each optional package is for, and how to get it; imported to see whether it works.
OPTIONAL = {
    "triton": ("triton", "attention in one kernel on CUDA, which is the default there"),
    "torch-cluster": ("torch_cluster", "neighbours in up to six channels, 2 to 20 times as fast"),
    "pyg-lib": ("pyg_lib", "the same where torch-cluster is missing"),
    "faiss-cpu": ("faiss", "neighbours of 50,000 items and more, approximate (extra faiss)"),
    "torch-sparse": ("torch_sparse", "layers that take a SparseTensor"),
    "matplotlib": ("matplotlib", "figures of compare, inspect and the paper (extra plot)"),
    "optuna": ("optuna", "tune (extra tune)"),
    "pyarrow": ("pyarrow", "parquet files (extra prepare)"),
    "pillow": ("PIL", "pictures (extra prepare)"),
    "scikit-image": ("skimage", "pictures without a network (extra prepare)"),
    "sentence-transformers": ("sentence_transformers", "texts by what they mean, not by words"),
    "timm": ("timm", "pictures by a network, not by colours and outlines"),
    "fastapi": ("fastapi", "serve and demo (extra serve)"),
    "uvicorn": ("uvicorn", "serve and demo (extra serve)"),
    "prometheus-client": ("prometheus_client", "serve and demo (extra serve)"),
    "tensorboard": ("tensorboard", "train --track tensorboard (extra tensorboard)"),
    "wandb": ("wandb", "train --track wandb (extra wandb)"),
    "mlflow": ("mlflow", "train --track mlflow (extra mlflow)"),
    "shtab": ("shtab", "completion (extra completion)"),
}
BROKEN = "broken"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    """Print what this machine and installation have; exit status 1 if something is broken."""
    found = examine()
    print(json.dumps(found) if args.json else _describe(found))
    if any(state.startswith(BROKEN) for state in found["optional"].values()):
        raise SystemExit(1)


def examine() -> dict[str, Any]:
    """What there is: versions, kernels, GPUs, threads, memory, and advice."""
    found: dict[str, Any] = {
        "crane-pyg": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "needed": {name: version(name) for name in NEEDED},
        "optional": {name: _state(name, module) for name, (module, _) in OPTIONAL.items()},
        "cores": _cores(),
        "threads": torch.get_num_threads(),
        "gpus": [_gpu(n) for n in range(torch.cuda.device_count())],
        "built for CUDA": torch.version.cuda,
        "has NVIDIA driver": shutil.which("nvidia-smi") is not None,
        "memory_gb": _memory_gb(),
    }
    return found | {"advice": list(_advice(found))}


def _state(name: str, module: str) -> str:
    try:
        there = version(name)
    except PackageNotFoundError:
        try:
            there = version(f"{name}-skinny")  # as MLflow's client alone is called
        except PackageNotFoundError:
            return "missing"
    try:
        import_module(module)
    except Exception as error:  # whatever a kernel built for another torch raises
        return f"{BROKEN}: {there}, {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return there


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpu(number: int) -> dict[str, Any]:
    about = torch.cuda.get_device_properties(number)
    free, total = torch.cuda.mem_get_info(number)
    return {
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "memory_gb": round(total / 2**30, 1),
        "free_gb": round(free / 2**30, 1),
    }


def _memory_gb() -> float | None:
    """What is free for this process, on Linux."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = (
            next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20
        )
    except (OSError, StopIteration):
        return None
    try:
        bound = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = min(free, (bound - used) / 2**30)
    except (OSError, ValueError):  # no bound
        pass
    return round(free, 1)


def _advice(found: dict[str, Any]) -> Iterator[str]:
    """What would be faster, or work at all, with what changed."""
    cores, threads = found["cores"], found["threads"]
    if threads < cores:
        yield f"torch computes in {threads} of {cores} threads: set OMP_NUM_THREADS={cores}"
    if threads > cores:
        yield f"torch computes in {threads} threads on {cores} cores: set OMP_NUM_THREADS={cores}"
    if found["has NVIDIA driver"] and not found["gpus"]:
        built = found["built for CUDA"]
        why = "torch was built without CUDA" if built is None else f"torch wants CUDA {built}"
        yield f"there is an NVIDIA driver, but torch sees no GPU ({why})"
    for name, state in found["optional"].items():
        if state.startswith(BROKEN):
            yield f"{name} is installed and cannot be loaded: reinstall it for this torch"
        elif state == "missing" and _would_help(name, found):
            yield f"pip install {name}: {OPTIONAL[name][1]}"


def _would_help(name: str, found: dict[str, Any]) -> bool:
    """Whether a package that is missing would do what nothing else here does."""
    if name == "triton":
        return bool(found["gpus"])
    if name == "pyg-lib":
        return found["optional"]["torch-cluster"] == "missing"
    return name not in options_of(TrackerName)  # matters of taste


def _describe(found: dict[str, Any]) -> str:
    memory = found["memory_gb"]
    lines = [
        f"crane-pyg {found['crane-pyg']}, Python {found['python']}, {found['system']}",
        ", ".join(f"{name} {there}" for name, there in found["needed"].items()),
        f"{found['threads']} threads on {found['cores']} cores, "
        f"{'unknown' if memory is None else f'{memory} GB'} of memory free",
        *(
            f"GPU {n}: {gpu['name']}, capability {gpu['capability']}, {gpu['free_gb']} of "
            f"{gpu['memory_gb']} GB free"
            for n, gpu in enumerate(found["gpus"])
        ),
    ]
    if not found["gpus"]:
        built = found["built for CUDA"]
        lines.append(
            f"no GPU (torch built for {'CPUs alone' if built is None else f'CUDA {built}'})"
        )
    lines += [f"{name}: {state}" for name, state in found["optional"].items() if state != "missing"]
    if found["advice"]:
        lines += ["", "What would be faster, or do more:", *(f"- {x}" for x in found["advice"])]
    return "\n".join(lines)
