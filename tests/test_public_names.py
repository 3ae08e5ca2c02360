"""Every public name has an entry on the site, an example that runs, and says its shapes."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import crane_pyg
from crane_pyg.nn.models import LightGCN

ROOT = Path(__file__).parent.parent
pytest.importorskip("sphinx")
sys.path.insert(0, str(ROOT / "docs"))
from generated import ROOMS, entries, signature_of_constructor  # noqa: E402
from shown import (  # noqa: E402
    examples_in_docstrings,
    identity,
    names_used_in_docstrings,
    pages_that_use,
    used_names,
)

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
USED = pages_that_use().keys() | names_used_in_docstrings()


def public(key):
    module, name = PUBLIC[key]
    return getattr(importlib.import_module(module), name)


def names(keys):
    return sorted(".".join(PUBLIC[key]) for key in keys)


def test_every_public_name_has_one_entry():
    with_entry = {
        identity(getattr(importlib.import_module(ROOMS[room]), name), name)
        for room, listed in entries().items()
        for name in listed
    }
    assert not names(PUBLIC.keys() - with_entry)
    assert len(PUBLIC) > 190  # of all rooms


def annotations(thing):
    """The names in the annotations of a class or a function, its methods included."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if part is not None:
                yield from (x.id for x in ast.walk(part) if isinstance(x, ast.Name))


def results_of_own_example(key, tmp_path, monkeypatch):
    """What the example in a class's own docstring is left with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = Path(inspect.getsourcefile(public(key))).relative_to(ROOT / "crane_pyg").as_posix()
    own = [test for test in examples_in_docstrings() if test.name == f"{file}:{key[1]}"]
    for test in own:
        doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None, clear_globs=False)
    return [value for test in own for value in test.globs.values()]


def test_every_public_name_is_used_by_an_example_that_runs(tmp_path, monkeypatch):
    """By its name. What a function returns may be what the example in its own docstring gets, and
    the type of an argument (a choice of words, a pair) what an example's callable takes by name."""
    shown = PUBLIC.keys() & USED
    callables = [public(key) for key in shown if isinstance(key, tuple)]
    taken = {name for thing in callables for name in annotations(inspect.unwrap(thing))}
    types = {key for key in PUBLIC if isinstance(key, str) and hasattr(public(key), "__origin__")}
    shown |= {key for key in types if key in taken}
    for key in PUBLIC.keys() - shown:
        if inspect.isclass(public(key)):
            found = results_of_own_example(key, tmp_path, monkeypatch)
            shown |= {key for value in found if isinstance(value, public(key))}
    assert not names(PUBLIC.keys() - shown)


def test_a_name_that_is_only_imported_is_not_used():
    code = "from crane_pyg.nn.models import BPR, EASE as Solved\nSolved\n"
    assert used_names(code) == {("crane_pyg.nn.models.ease", "EASE")}


def test_models_are_shown_with_the_arguments_of_their_constructors():
    shown, _ = signature_of_constructor(None, "class", "", LightGCN, None, "(*args, **kwargs)", "")
    assert shown.startswith("(num_users, num_items, embedding_dim=64, num_layers=2")


def takes_tensors(function):
    found = inspect.signature(function).parameters.values()
    return any("Tensor" in str(parameter.annotation) for parameter in found)


def functions_of_tensors(thing):
    """A function itself; of a class what is called, where the class itself defines it."""
    if inspect.isclass(thing):
        called = (vars(thing).get(name) for name in ("forward", "__call__"))
        found = [function for function in called if function is not None]
    else:
        found = [thing] if inspect.isfunction(thing) else []
    return [function for function in found if takes_tensors(function)]


@pytest.mark.parametrize("key", PUBLIC, ids=lambda key: ".".join(PUBLIC[key]))
def test_functions_of_tensors_say_their_shapes(key):
    thing = public(key)
    for function in functions_of_tensors(thing):
        text = f"{inspect.getdoc(thing)}\n{inspect.getdoc(function)}"
        assert "Shapes:" in text or re.search(r"\[[\w, +]+\]", text)
    fields = getattr(thing, "_fields", ())
    if any(thing.__annotations__.get(field) is torch.Tensor for field in fields):
        assert re.search(r"\[[\w, +]+\]", inspect.getdoc(thing))
