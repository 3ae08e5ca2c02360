"""What the site tells people to type works, and recommends what it should.

Blocks of Python and of the shell run, page by page; those called ``console`` (installations,
servers, hours of training) are only parsed.
"""

import asyncio
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import httpx
import pandas as pd
import pytest
import torch
import uvicorn

from crane_pyg.cli import build_parser, main
from crane_pyg.nn.models import MODELS
from crane_pyg.serving import Recommender

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OWN_DATA = DOCS / "your_own_data.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
WRITTEN = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if not {"notebooks", "generated", "_build"} & {*path.relative_to(DOCS).parts}
]
OWN_FOLDER = {OWN_DATA, DOCS / "start.md"}
QUICK = {
    *("concepts/protocols.md", "reference/formats.md", "reference/errors.md"),
    *("howto/bases.md", "howto/steps.md"),
}
ELSEWHERE = {"pip", "git", "python3", "source", "torchrun", "export"}  # not this package's commands


def blocks(path):
    return BLOCK.findall(path.read_text())


def has_code(path):
    return any(language in ("python", "sh") for language, _ in blocks(path))


def run_page(path):
    """Run a page's blocks in their order; those of Python know each other's names."""
    names = {}
    with patch.object(uvicorn.Server, "run", check_that_it_answers):
        for language, block in blocks(path):
            if language == "python":
                run_python(block, names)
            elif language == "sh":
                for line in block.replace("\\\n", " ").splitlines():
                    run_command(shlex.split(line))
    return names


def run_python(block, names):
    """A script that names itself is kept for later; others run here and now."""
    if named := re.match(r"# (\w+\.py)\n", block):
        Path(named[1]).write_text(block)
    else:
        exec(block, names)


def run_command(words):
    python, *command = words
    assert python == "python"
    if command[:2] == ["-m", "crane_pyg"]:
        trains = command[2] in ("train", "recommend", "update", "compare", "tune")
        here = ["--device", "cpu"] if trains else ["--port", "0"] if command[2] == "serve" else []
        main(command[2:] + here)
    else:
        runpy.run_path(*command)


def check_that_it_answers(server, sockets):
    """In the place of serving until somebody ends it."""

    async def ask(path):
        transport = httpx.ASGITransport(server.config.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get(path)).json()

    assert asyncio.run(ask("/health"))["items"] == 200
    (found,) = asyncio.run(ask("/items?search=thing-001"))["items"]
    assert found["picture"] == "pictures/thing-001.png"


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """Where every block of the page on own data was run, and what they named."""
    folder = tmp_path_factory.mktemp("own_data")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        here.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        names = run_page(OWN_DATA)
    return folder, names


@pytest.fixture
def folder(own_data):
    return own_data[0]


def pages():
    for path in WRITTEN:
        if has_code(path) and path not in OWN_FOLDER:
            name = path.relative_to(DOCS).as_posix()
            yield pytest.param(path, id=name, marks=[] if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("path", list(pages()))
def test_a_page_runs_after_that_on_own_data(path, folder, tmp_path, monkeypatch):
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    run_page(path)


@pytest.mark.slow
def test_the_first_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(DOCS / "start.md")


@pytest.mark.parametrize("path", [*WRITTEN, ROOT / "README.md"], ids=lambda path: path.name)
def test_commands_that_are_not_run_have_the_options_they_name(path):
    parser = build_parser()
    for language, block in blocks(path):
        if language == "console":
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[1:3] == ["-m", "crane_pyg"]:
                    parser.parse_args(words[3:])
                elif words and words[1:3] != ["-m", "benchmarks.paper"]:
                    assert words[0] in ELSEWHERE, line


@pytest.mark.slow
def test_notebooks_run_and_the_site_is_whole(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-j", "1", str(DOCS), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert not built.returncode, built.stderr
    for notebook in (DOCS / "notebooks").glob("*.md"):
        if notebook.stem != "index":
            page = (tmp_path / "notebooks" / f"{notebook.stem}.html").read_text()
            assert re.search(r"<img[^>]*_images/[0-9a-f]+\.png", page), notebook


def test_what_python_on_own_data_says(own_data):
    folder, found = own_data
    assert found["items"].shape == found["scores"].shape == (300, 5)
    assert torch.equal(found["scores"], found["scores"].sort(dim=1, descending=True).values)
    assert found["why"].total == pytest.approx(found["top"].scores[0], abs=1e-5)
    top = pd.read_csv(folder / "top.csv")
    assert found["top"].ids == tuple(top[top["user"] == "customer 7"]["item"])
    assert {len(found[name]) for name in ("alike", "newcomer")} == {5}


def test_every_command_leaves_what_it_promises(folder):
    assert {path.name for path in (folder / "shop").iterdir()} >= {
        *("text_feat.npy", "image_feat.npy", "users.csv", "items.csv")
    }
    report = (folder / "report" / "report.md").read_text()
    assert "image: 20 items lack it" in report
    assert "Errors" not in report
    assert "line up" not in report


def test_the_artefact_knows_who_came_later(folder):
    shop = Recommender.load(folder / "shop-model")
    assert len(shop.user_ids) == 301
    assert len(shop.recommend("customer 300", k=5)) == 5
    assert shop.pictures[shop.item_ids.index("thing-003")] == "thing-003.png"


def test_customers_are_recommended_their_style(folder):
    items = pd.read_csv(folder / "items.csv", index_col="item_id")
    style = items["title"].str.split().str[0]
    log = pd.read_csv(folder / "log.csv")
    favourite = log.assign(style=style[log["item_id"]].to_numpy()).groupby("user_id")["style"]
    top = pd.read_csv(folder / "top.csv")
    assert top.groupby("user").size().eq(5).all()
    assert set(top["user"]) == set(log["user_id"])
    taken = set(zip(log["user_id"], log["item_id"], strict=True))
    assert not taken & set(zip(top["user"], top["item"], strict=True))
    wanted = favourite.agg(lambda styles: styles.mode()[0])[top["user"]].to_numpy()
    assert (style[top["item"]].to_numpy() == wanted).mean() > 0.8  # a fifth by chance


def test_the_page_on_several_gpus_names_the_models_that_ranks_divide():
    rows = re.findall(r"^\| (`.*?) \|", (DOCS / "several_gpus.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(name for name, model in MODELS.items() if model.tables)
