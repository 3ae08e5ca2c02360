"""Multimodal recommendation on graphs, native to PyTorch Geometric.

The rooms are imported when they are first named: ``import crane_pyg`` costs next to nothing, and
``crane_pyg.nn`` is there all the same.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.2.0"
__all__ = [
    "__version__",
    "datasets",
    "encoders",
    "export",
    "inspection",
    "nn",
    "ops",
    "preparation",
    "serving",
    "training",
    "transforms",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
