"""What ``import crane_pyg`` shows, and what it costs."""

import importlib
import subprocess
import sys
from textwrap import dedent

import pytest

import crane_pyg
from crane_pyg.cli import build_parser, main

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


def test_huge_pages_are_asked_for_before_torch_asks_itself():
    code = """
        import os, sys
        from crane_pyg.cli import main
        assert "torch" not in sys.modules
        try:
            main(["--version"])
        except SystemExit:
            print(os.environ["THP_MEM_ALLOC_ENABLE"], "torch" in sys.modules)
    """
    assert run(dedent(code))[-2:] == ["1", "False"]


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["serve", "--help"]])
def test_what_needs_no_library_waits_for_none(argv):
    code = f"""
        import sys
        from crane_pyg.cli import build_parser, main
        try:
            main({argv})
        except SystemExit:
            print("ended", *sys.modules)
    """
    *_, said = "".join(f"{word} " for word in run(dedent(code))).partition("ended ")
    loaded = set(said.split())
    assert "crane_pyg.cli" in loaded
    assert not {"torch", "numpy", "pandas"} & loaded


def test_the_parser_of_a_command_has_its_options_and_that_of_all_has_all():
    asked = build_parser(["train"])
    assert asked.parse_args(["train", "tiny", "--epochs", "3"]).epochs == 3
    with pytest.raises(SystemExit):
        asked.parse_args(["tune", "tiny", "--out", "x"])
    assert build_parser().parse_args(["tune", "tiny", "--out", "x"]).data == "tiny"
