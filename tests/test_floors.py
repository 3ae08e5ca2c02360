"""Every floor imports only downwards, rooms of one floor do not know each other, files stay small.

Imports count wherever they stand: in functions and for type checkers too.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent
FLOORS = (
    ("", "schema", "choices", "ranges", "limits", "locks", "ranks"),  # readable from everywhere
    ("files",),  # so are these two
    ("seals",),
    ("serving",),
    ("ops", "encoders"),
    ("nn.kept", "nn.by_modality", "nn.columns", "nn.fold_in", "nn.scorer"),
    ("nn.conv", "nn.attention", "nn.objectives", "transforms"),
    ("datasets", "nn.user_item", "nn.item_features"),
    ("nn.fusion", "nn.linear", "nn.spectral_start"),
    ("nn.content_rows", "nn.content_term", "nn.low_rank_ranking", "nn.thinning_choice"),
    ("nn.residual", "nn.graphs", "nn.similarity_choice", "nn.content_choice"),
    ("nn.temperature_choice",),
    ("nn.encoder",),
    ("nn",),
    ("nn.models",),
    ("training",),
    ("experiments", "preparation", "inspection", "export", "server", "demo"),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
OPTIONAL = {
    *("torch_sparse", "torch_scatter", "torch_cluster", "pyg_lib", "triton"),
    *("matplotlib", "optuna", "pyarrow", "PIL", "skimage"),
    *("sentence_transformers", "timm", "huggingface_hub"),
    *("fastapi", "pydantic", "starlette", "uvicorn", "prometheus_client", "faiss"),
    *("tensorboard", "wandb", "mlflow", "shtab"),
}
KERNELS = {"ops/attention/triton_fused.py"}  # a global language, itself imported in a function
SERVER = {"server"}  # a room that is made of optional packages, and imported in functions alone
MOST_LINES = 300
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")


MODULES = {module_of(file): file for file in FILES}


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
    module = module_of(file)
    for name in imports(ast.parse(FILES[file].read_text())):
        assert not name.startswith("."), "imports are absolute"
        if name.startswith("crane_pyg."):
            other = name.removeprefix("crane_pyg.")
            here, there = room_of(module), room_of(other)
            assert here == there or LEVEL[there] < LEVEL[here], f"{module} imports {other}"
            if module.startswith("nn.models."):
                # The bases, and what is split off a model, whose parts know each other.
                bases = ("recommender", "solved", "fused_views")
                shared = (*(f"nn.models.{base}." for base in bases), f"{module.split('_')[0]}_")
                siblings = there == "nn.models" and not other.startswith(shared)
                assert not siblings, f"{module} imports {other}"
                assert there != "datasets", f"{module} imports {other}"


@pytest.mark.parametrize(
    "file", sorted(f for f in set(FILES) - KERNELS if room_of(module_of(f)) not in SERVER)
)
def test_optional_packages_are_imported_where_they_are_used(file):
    names = set(imports(ast.parse(FILES[file].read_text()), in_functions=False))
    assert not {name.partition(".")[0] for name in names} & OPTIONAL
    inner = {kernel.removesuffix(".py").replace("/", ".") for kernel in KERNELS} | SERVER
    modules = {f"crane_pyg.{name}" for name in inner}
    assert not {module for module in modules for name in names if name.startswith(module)}


def imported_files(file: str) -> set[str]:
    """The files that a file names in its imports; a name of a package is its ``__init__``'s."""
    found = set()
    for name in imports(ast.parse(FILES[file].read_text())):
        if name.startswith("crane_pyg."):
            other = name.removeprefix("crane_pyg.")
            found.add(MODULES[other if other in MODULES else other.rpartition(".")[0]])
    return found - {file}


def circles_of(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The members of each circle that must be cut until there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        first, second, *rest = error.args[1]  # each is imported by the next
        cut = graph | {second: graph[second] - {first}}
        return {frozenset([first, second, *rest])} | circles_of(cut)
    return set()


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles_of(graph) == {frozenset("abc"), frozenset("de")}


def test_no_files_import_each_other():
    assert not circles_of({file: imported_files(file) for file in FILES})


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def test_what_is_private_stays_in_its_room():
    offenders = {
        f"{file} imports {name}"
        for file in FILES
        for name in imports(ast.parse(FILES[file].read_text()))
        if name.startswith("crane_pyg.")
        and is_private(name)
        and room_of(name.removeprefix("crane_pyg.")) != room_of(module_of(file))
    }
    assert not offenders


def test_a_file_has_one_idea():
    lines = {file: len(path.read_text().splitlines()) for file, path in FILES.items()}
    offenders = {file for file, count in lines.items() if count > MOST_LINES} - KERNELS
    assert not offenders
