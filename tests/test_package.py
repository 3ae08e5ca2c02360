"""What ``import crane_pyg`` shows, and what it costs."""

import importlib
import subprocess
import sys

import pytest

import crane_pyg
from crane_pyg.cli import main

ROOMS = (
    *(
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
    ),
)


def run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_it_imports_no_library_until_a_room_is_named():
    loaded = set(run("import sys, crane_pyg; print(*sys.modules)"))
    assert "crane_pyg" in loaded
    assert not {"torch", "numpy", "pandas"} & loaded
    assert run("import crane_pyg; print(crane_pyg.ops.knn_graph.__name__)") == ["knn_graph"]


def test_every_room_is_there_and_seen():
    assert {*ROOMS, "__version__"} == set(crane_pyg.__all__) <= set(dir(crane_pyg))
    for room in ROOMS:
        assert getattr(crane_pyg, room).__name__ == f"crane_pyg.{room}"
    with pytest.raises(AttributeError, match="has no attribute 'attic'"):
        crane_pyg.attic  # noqa: B018


@pytest.mark.parametrize("room", [*ROOMS, "experiments"])
def test_rooms_have_what_they_name(room):
    module = importlib.import_module(f"crane_pyg.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_command_says_its_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"crane-pyg {crane_pyg.__version__}\n"
