"""Every floor imports only downwards, and rooms of one floor do not know each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent
FLOORS = (
    ("schema", "choices"),  # readable from everywhere
    ("ops",),
    ("nn.conv", "nn.attention", "nn.objectives", "nn.kept", "datasets", "transforms"),
    ("nn.user_item", "nn.item_features"),
    ("nn.fusion",),
    ("nn.graphs",),
    ("nn.encoder",),
    ("nn",),
    ("nn.models",),
    ("training",),
    ("experiments",),
    ("cli",),
    ("__main__", ""),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
OPTIONAL = {
    *("torch_sparse", "torch_scatter", "torch_cluster", "pyg_lib", "triton"),
    *("matplotlib", "optuna", "pyarrow", "PIL", "skimage"),
    *("sentence_transformers", "timm", "torchvision"),
}
KERNELS = {"ops/attention/triton_fused.py"}  # a global language, itself imported in a function
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}


def room_of(module: str) -> str:
    return module if module in LEVEL else room_of(module.rpartition(".")[0])


def imports(tree: ast.AST, *, in_functions: bool = True) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)
        elif in_functions or not (isinstance(node, ast.FunctionDef) or is_for_types(node)):
            yield from imports(node, in_functions=in_functions)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("file", FILES)
def test_imports_go_downwards(file):
    module = file.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")
    for name in imports(ast.parse(FILES[file].read_text())):
        assert not name.startswith("."), "imports are absolute"
        if name.startswith("crane_pyg."):
            other = name.removeprefix("crane_pyg.")
            here, there = room_of(module), room_of(other)
            assert here == there or LEVEL[there] < LEVEL[here], f"{module} imports {other}"
            if module.startswith("nn.models."):
                shared = ("nn.models.recommender.", f"{module}_")  # and what is split off a model
                siblings = there == "nn.models" and not other.startswith(shared)
                assert not siblings, f"{module} imports {other}"
                assert there != "datasets", f"{module} imports {other}"


@pytest.mark.parametrize("file", sorted(set(FILES) - KERNELS))
def test_optional_packages_are_imported_where_they_are_used(file):
    names = set(imports(ast.parse(FILES[file].read_text()), in_functions=False))
    assert not {name.partition(".")[0] for name in names} & OPTIONAL
    modules = {f"crane_pyg.{kernel.removesuffix('.py').replace('/', '.')}" for kernel in KERNELS}
    assert not {module for module in modules for name in names if name.startswith(module)}
