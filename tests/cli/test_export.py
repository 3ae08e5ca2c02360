import csv
import io

import numpy as np
import pandas as pd
import pytest

from crane_pyg.cli import main
from crane_pyg.serving import Recommender


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of a training on the preset tiny."""
    out = tmp_path_factory.mktemp("runs") / "first"
    main(["train", "tiny", "--epochs", "2", "--device", "cpu", "--out", str(out)])
    return out


def test_the_artefact_recommends_what_the_command_does(run, tmp_path, capsys):
    main(["export", str(run), "--data", "tiny", "--out", str(tmp_path / "shop")])
    assert "crane of 300 users and 200 items" in capsys.readouterr().out
    main(["recommend", "tiny", "--run", str(run), "--k", "20", "--device", "cpu"])
    table = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    shop = Recommender.load(tmp_path / "shop")
    rankings = dict(zip(shop.user_ids, shop.recommend(list(shop.user_ids), 20), strict=True))
    assert [(row["user"], row["item"]) for row in table] == [
        (user, item) for user, ranking in rankings.items() for item in ranking.ids
    ]
    assert shop.about["metrics"]["test"].keys() >= {"Recall@20", "NDCG@20"}
    assert shop.about["data"]["fingerprint"]
    assert f"{shop.about['metrics']['test']['Recall@20']:.4f}" in shop.card


def test_an_index_says_how_much_it_finds(run, tmp_path, capsys):
    pytest.importorskip("faiss")
    shop = tmp_path / "shop"
    main(["export", str(run), "--data", "tiny", "--out", str(shop), "--index", "faiss"])
    assert "an index of 5 cells, 1 looked into, finds 100.0% of" in capsys.readouterr().out
    exact, indexed = Recommender.load(shop), Recommender.load(shop, index="faiss")
    assert indexed.about["index"]["recall"] == 1  # lists of so few items are searched exactly
    assert indexed.recommend("7", 20) == exact.recommend("7", 20)


def test_titles_and_pictures_come_along(tmp_path, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    draw = np.random.default_rng(0)
    rows = [
        (user, item, label)
        for user in range(12)
        for item, label in zip(draw.permutation(20)[:7], [0, 0, 0, 1, 2, 0, 0])
    ]
    table = pd.DataFrame(rows, columns=["userID", "itemID", "x_label"])
    table.to_csv(folder / "data.inter", sep="\t", index=False)
    ids = [f"thing {number}" for number in range(20)]
    frame = pd.DataFrame({"itemID": range(20), "original_id": ids, "title": "", "image": ""})
    frame.loc[3, "title"], frame.loc[4, "image"] = "Third", "pics/4.png"
    frame.to_csv(folder / "items.csv", index=False)
    argv = [str(folder), "--model", "bpr", "--epochs", "1", "--device", "cpu"]
    main(["train", *argv, "--out", str(tmp_path / "run")])
    out = ["--out", str(tmp_path / "shop")]
    main(["export", str(tmp_path / "run"), "--data", str(folder), *out])
    assert "1 titles and 1 pictures" in capsys.readouterr().out
    shop = Recommender.load(tmp_path / "shop")
    assert (shop.titles[3], shop.titles[4]) == ("Third", "")
    assert (shop.pictures[3], shop.pictures[4]) == ("", "pics/4.png")
    assert shop.modalities == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "tiny", "--split-seed", "1"], "was trained on other data"),
        (["--data", "no"], "data must be a folder"),
    ],
)
def test_mistakes_end_in_one_line(run, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as caught:
        main(["export", str(run), *options, "--out", str(tmp_path / "shop")])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "shop").exists()
