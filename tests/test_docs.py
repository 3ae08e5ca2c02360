"""What the tutorial tells people to type works, and recommends what it should."""

import re
import runpy
import shlex
from pathlib import Path

import pandas as pd
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.serving import Recommender

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where every block of the tutorial was run, in its order."""
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for language, block in re.findall(r"```(\w+)\n(.*?)```", TUTORIAL.read_text(), re.DOTALL):
            run(language, block)
    return folder


def run(language, block):
    """A script that names itself is kept for later; others, and commands, run here and now."""
    if named := re.match(r"# (\w+\.py)\n", block):
        Path(named[1]).write_text(block)
    elif language == "python":
        found = {}
        exec(block, found)
        if "scores" in found:
            assert found["items"].shape == found["scores"].shape == (300, 5)
            assert torch.equal(found["scores"], found["scores"].sort(dim=1, descending=True).values)
        if "why" in found:
            assert found["why"].total == pytest.approx(found["top"].scores[0], abs=1e-5)
            assert found["top"].ids == tuple(first_of("customer 7"))
            assert {len(found[name]) for name in ("alike", "newcomer")} == {5}
    else:
        python, *command = shlex.split(block)
        assert python == "python"
        if command[:2] == ["-m", "crane_pyg"]:
            trains = command[2] in ("train", "recommend", "update")
            main(command[2:] + (["--device", "cpu"] if trains else []))
        else:
            runpy.run_path(*command)


def first_of(customer):
    top = pd.read_csv("top.csv")
    return top[top["user"] == customer]["item"]


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
