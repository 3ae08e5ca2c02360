"""What a folder's runs are made from, so that a second start goes on with them or refuses."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.files import write_text


def claim_folder(path: Path, identity: Mapping[str, Any]) -> None:
    """Write down what the folder of ``path`` holds; what it holds already must agree.

    Raises:
        ValueError: if an entry of ``identity`` stands there with another value.
    """
    there = json.loads(path.read_text()) if path.exists() else {}
    now = json.loads(json.dumps(identity))
    before, after = (_flat({key: x[key] for key in there.keys() & now}) for x in (there, now))
    names = sorted(before.keys() | after)
    differing = [
        f"{name} {before.get(name)!r} and {after.get(name)!r}"
        for name in names
        if before.get(name) != after.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path.parent} holds other runs; choose another folder "
            f"(got, there and now: {', '.join(differing)})"
        )
    write_text(path, json.dumps(there | now, indent=2) + "\n")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + key
        leaves |= _flat(value, name + ".") if isinstance(value, Mapping) else {name: value}
    return leaves


def fingerprint(data: HeteroData) -> str:
    """A digest of a graph, equal for equal graphs: every edge, split, feature and mask counts."""
    digest = hashlib.sha256()
    for store in data.stores:
        for key, value in sorted(store.items()):
            digest.update(f"{store._key} {key} ".encode())
            if isinstance(value, Tensor):
                digest.update(f"{value.dtype} {tuple(value.shape)} ".encode())
                digest.update(value.detach().cpu().contiguous().numpy().data)
            else:
                digest.update(repr(value).encode())
    return digest.hexdigest()[:16]
