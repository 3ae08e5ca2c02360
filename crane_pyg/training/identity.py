"""What decides the result of a training, so that a run goes on with nothing else."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.models import Recommender

RESULTS = 7
"""Raised with every change of this package after which the same run ends in other numbers."""

VERSIONS = {"results": RESULTS, "torch": ".".join(torch.__version__.split(".")[:2])}
"""What of the software decides the result."""

_MOST = 5  # differences in a message


def fingerprint(data: HeteroData) -> str:
    """A digest of a graph, equal for equal graphs: every edge, split, feature and mask counts.

    Args:
        data: the graph.
    """
    digest = hashlib.blake2b(digest_size=8)
    for store in data.stores:
        for key, value in sorted(store.items()):
            digest.update(f"{store._key} {key} ".encode())
            if isinstance(value, Tensor):
                digest.update(f"{value.dtype} {tuple(value.shape)} ".encode())
                digest.update(value.detach().cpu().contiguous().numpy().data)
            else:
                digest.update(repr(value).encode())
    return digest.hexdigest()


def describe_model(model: Recommender) -> dict[str, Any]:
    """The class of a model and of each of its parts, and what they were constructed with.

    Of that, what they keep as public attributes that are no tensors, but for those that a part
    lists as ``chosen``: training ends with setting them.

    Args:
        model: any.
    """
    found: dict[str, Any] = {}
    chosen = {
        f"{name}.{key}" if name else key
        for name, module in model.named_modules()
        for key in getattr(module, "chosen", ())
    }
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        found[f"{prefix}class"] = type(module).__qualname__
        for key, value in sorted(vars(module).items()):
            is_told = not key.startswith("_") and key != "training" and prefix + key not in chosen
            if is_told and _is_plain(value):
                found[prefix + key] = repr(value)
    return found


def _is_plain(value: Any) -> bool:
    """Whether what ``repr`` shows is all there is to a value."""
    if isinstance(value, Mapping):
        return all(_is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if hasattr(value, "__dataclass_fields__"):
        return all(_is_plain(getattr(value, name)) for name in value.__dataclass_fields__)
    return value is None or isinstance(value, bool | int | float | str)


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The entries that differ, and both their values; empty if none does.

    Args:
        there: what was written down.
        now: what is to be done.
    """
    before, after = _flat(there), _flat(now)
    names = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    words = [f"{name} {before.get(name)!r} and {after.get(name)!r}" for name in names[:_MOST]]
    more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    return ", ".join(words + more)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + key
        leaves |= _flat(value, name + ".") if isinstance(value, Mapping) else {name: value}
    return leaves
