"""What is told about a release agrees, and what it needs is packed."""

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import crane_pyg

ROOT = Path(crane_pyg.__file__).parent.parent
NOT_PACKED = {"README.md"}  # of ops, for people who read the sources


def project():
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_the_same_everywhere():
    version = crane_pyg.__version__
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_paper_is_cited_alike():
    cff, readme = ((ROOT / name).read_text() for name in ("CITATION.cff", "README.md"))
    title = re.search(r"title   = \{(.*?)\}", readme)[1]
    assert f"title: {title}" in cff
    for name in re.search(r"author  = \{(.*?)\}", readme)[1].split(" and "):
        family, given = name.split(", ")
        assert f"- family-names: {family}\n      given-names: {given}\n" in cff


def test_every_python_that_is_tested_is_told_and_none_else():
    told = {
        line.rpartition(" ")[2]
        for line in project()["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    }
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    tested = set(re.findall(r'"(3\.\d+)"', re.search(r"python: \[.*\]", workflow)[0]))
    assert told == tested
    oldest = min(told, key=lambda text: int(text[2:]))
    assert project()["project"]["requires-python"] == f">={oldest}"
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in told


def test_files_beside_the_code_are_packed():
    patterns = project()["tool"]["setuptools"]["package-data"]["crane_pyg"]
    package = ROOT / "crane_pyg"
    for path in package.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name not in NOT_PACKED:
            name = path.relative_to(package).as_posix()
            assert any(fnmatch(name, pattern) for pattern in patterns), name


def test_the_workflow_runs_what_is_run_here():
    assert "run: .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
