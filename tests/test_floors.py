"""Every floor of the package imports only downwards; rooms of one floor do not know each other."""

import ast
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent
FLOORS = (
    ("schema",),  # readable from everywhere
    ("ops",),
    ("nn.conv", "nn.attention", "nn.loss", "datasets", "transforms"),
    ("nn.item_graph",),
    ("nn",),
    ("nn.models",),
    ("training",),
    ("cli",),
    ("__main__", ""),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
OPTIONAL = {"torch_sparse", "torch_scatter", "torch_cluster", "pyg_lib", "matplotlib", "triton"}
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}


def module_name(file: str) -> str:
    parts = Path(file).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    while module not in LEVEL:
        module = module.rpartition(".")[0]
    return module


def imports(nodes: list[ast.stmt] | ast.AST, *, enter_functions: bool = True) -> set[str]:
    """Absolute names of the modules that are imported anywhere below."""
    found: set[str] = set()
    for node in nodes if isinstance(nodes, list) else ast.iter_child_nodes(nodes):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif enter_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= imports(node, enter_functions=enter_functions)
    return found


@pytest.mark.parametrize("file", FILES)
def test_imports_go_downwards(file):
    own, tree = module_name(file), ast.parse(FILES[file].read_text())
    for name in imports(tree):
        if not name.startswith("crane_pyg."):
            continue
        theirs = name.removeprefix("crane_pyg.")
        room, their_room = room_of(own), room_of(theirs)
        assert room == their_room or LEVEL[their_room] < LEVEL[room], f"{own} imports {theirs}"
        if room == their_room == "nn.models" and own != "nn.models":
            assert theirs.startswith("nn.models.recommender"), f"{own} imports {theirs}"
        forbidden = {"datasets", "training"} if room == "nn.models" else set()
        assert their_room not in forbidden, f"{own} imports {theirs}"


@pytest.mark.parametrize("file", FILES)
def test_optional_packages_are_imported_where_they_are_used(file):
    tree = ast.parse(FILES[file].read_text())
    at_import = {name.partition(".")[0] for name in imports(tree, enter_functions=False)}
    assert not at_import & OPTIONAL
