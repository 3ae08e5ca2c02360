"""Which examples use which public names: those of the pages, the notebooks and the docstrings.

All of them run: pages and notebooks by ``tests/test_docs.py``, docstrings by
``tests/test_docstrings.py``. A name counts where an example imports it and then uses it.
"""

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "crane_pyg"
BLOCK = re.compile(r"^```(?:python|\{code-cell\}[^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CELL_OPTION = re.compile(r"^:[\w-]+:.*$", re.MULTILINE)


def identity(thing: Any, name: str) -> Any:
    """What tells objects apart: where they are defined; constants and types by their name."""
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return (thing.__module__, thing.__qualname__)
    return name


def used_names(code: str) -> set[Any]:
    """The identity of what some code imports from the package and then uses."""
    tree = ast.parse(code)
    imported = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crane_pyg")
        for alias in node.names
    }
    used = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return {
        identity(getattr(importlib.import_module(str(module)), name), name)
        for local, (module, name) in imported.items()
        if local in used
    }


@cache
def pages_that_use() -> dict[Any, list[str]]:
    """By the identity of a name, the pages whose code uses it."""
    found: dict[Any, list[str]] = {}
    for path in sorted(DOCS.rglob("*.md")):
        page = path.relative_to(DOCS)
        if not {"generated", "_build"} & {*page.parts}:
            code = CELL_OPTION.sub("", "\n".join(BLOCK.findall(path.read_text())))
            for key in used_names(code):
                found.setdefault(key, []).append(page.with_suffix("").as_posix())
    return found


def examples_in_docstrings() -> Iterator[doctest.DocTest]:
    """Those of the whole package, each to be run without any names but those it imports."""
    parser = doctest.DocTestParser()
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text, name = ast.get_docstring(node, clean=False), getattr(node, "name", "")
            if text and ">>>" in text:
                line = node.body[0].lineno - 1
                yield parser.get_doctest(text, {}, f"{file}:{name}", str(path), line)


def names_used_in_docstrings() -> set[Any]:
    """The identity of every name that an example in a docstring uses."""
    tests = examples_in_docstrings()
    codes = ["".join(example.source for example in test.examples) for test in tests]
    return {key for code in codes for key in used_names(code)}
