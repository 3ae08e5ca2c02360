"""Every public name has an entry on the site, an example, and the shapes of tensors it takes."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(__file__).parent.parent
pytest.importorskip("sphinx")
sys.path.insert(0, str(ROOT / "docs"))
from generated import ROOMS, entries, identity  # noqa: E402

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(crane_pyg.__path__, "crane_pyg.")
    if not module.name.endswith("__main__")
    and hasattr(importlib.import_module(module.name), "__all__")
)
PUBLIC = {
    identity(getattr(importlib.import_module(module), name), name): (module, name)
    for module in MODULES
    for name in importlib.import_module(module).__all__
}


def text_of_examples():
    """What runs and shows a name: pages and notebooks, examples, and tests of that very room."""
    files = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.py")]
    files = [path for path in files if "generated" not in path.parts]
    return "\n".join(path.read_text() for path in [*files, *(ROOT / "tests").rglob("*.py")])


EXAMPLES = text_of_examples()


def test_every_public_name_has_one_entry():
    with_entry = {
        identity(getattr(importlib.import_module(ROOMS[room]), name), name)
        for room, names in entries().items()
        for name in names
    }
    assert not PUBLIC.keys() - with_entry
    assert len(PUBLIC) > 150  # of all rooms


@pytest.mark.parametrize(("module", "name"), PUBLIC.values(), ids=lambda value: value)
def test_a_public_name_is_used_in_something_that_runs(module, name):
    assert re.search(rf"\b{name}\b", EXAMPLES), f"{module}.{name}"


def takes_tensors(thing):
    found = inspect.signature(thing).parameters.values()
    return any("Tensor" in str(parameter.annotation) for parameter in found)


@pytest.mark.parametrize(("module", "name"), PUBLIC.values(), ids=lambda value: value)
def test_functions_of_tensors_say_their_shapes(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.isfunction(thing) and takes_tensors(thing):
        text = inspect.getdoc(thing)
        assert "Shapes:" in text or re.search(r"\[[\w, +]+\]", text), f"{module}.{name}"
