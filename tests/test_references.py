"""Cross-references in docstrings lead somewhere."""

import importlib
import re
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
REFERENCE = re.compile(r":(?:class|func|meth|attr|data|mod):`~?(crane_pyg\.[\w.]+)`")


def resolve(name):
    """Imports as much of a dotted name as is a module, and takes the rest from there."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part)
        return thing
    raise AttributeError(name)


@pytest.mark.parametrize("file", FILES)
def test_references_resolve(file):
    for name in set(REFERENCE.findall(FILES[file].read_text())):
        resolve(name)
