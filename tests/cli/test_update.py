import numpy as np
import pandas as pd
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.datasets import load_dataset
from crane_pyg.serving import Recommender
from crane_pyg.training import load_model


@pytest.fixture
def folder(tmp_path):
    """Even customers like even things."""
    folder = tmp_path / "data"
    folder.mkdir()
    pairs = [(u, i) for u in range(16) for i in range(20) if u % 2 == i % 2]
    rows = [(u, i, {3: 1, 7: 2}.get((i // 2 + u) % 10, 0)) for u, i in pairs]
    table = pd.DataFrame(rows, columns=["userID", "itemID", "x_label"])
    table.to_csv(folder / "data.inter", sep="\t", index=False)
    for kind, column, name, size in (
        ("users", "userID", "customer", 16),
        ("items", "itemID", "thing", 20),
    ):
        frame = pd.DataFrame({column: range(size)})
        frame["original_id"] = [f"{name} {number}" for number in range(size)]
        if kind == "items":
            frame["title"] = frame["original_id"].str.upper()
        frame.to_csv(folder / f"{kind}.csv", index=False)
    draw = np.random.default_rng(0)
    np.save(folder / "look_feat.npy", look(np.arange(20), draw))
    return folder


def look(items, draw):
    centre = np.array([[3.0, 0, 1, 0], [0, 3, 0, 1]])
    return centre[items % 2] + 0.3 * draw.standard_normal((len(items), 4))


@pytest.fixture
def new(tmp_path):
    """A new customer of either kind, a new thing of either kind, and what is known already."""
    rows = [("customer 16", f"thing {i}") for i in range(0, 12, 2)]
    rows += [("customer 17", f"thing {i}") for i in range(1, 12, 2)]
    rows += [("customer 0", "thing 20"), ("customer 2", "thing 20"), ("customer 16", "thing 20")]
    rows += [("customer 1", "thing 21"), ("customer 0", "thing 0"), ("customer 0", "thing 20")]
    path = tmp_path / "new.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(path, index=False)
    np.savez(
        tmp_path / "look.npz",
        ids=np.array(["thing 21", "thing 20"]),
        features=look(np.array([21, 20]), np.random.default_rng(1)),
    )
    (tmp_path / "items.csv").write_text("item_id,title\nthing 20,Twenty\n")
    return path


@pytest.mark.parametrize("model", ["crane", "bpr", "ials"])
def test_an_update_goes_on_with_what_is_new(folder, new, tmp_path, capsys, model):
    cpu = ["--device", "cpu"]
    run = ["--model", model, "--epochs", "8", "--batch-size", "32", "--set", "k=3"]
    if model != "crane":
        run = run[:-2]
    main(["train", str(folder), *run, *cpu, "--out", str(tmp_path / "first")])
    out = tmp_path / "second"
    options = ["--interactions", str(new), "--items", str(tmp_path / "items.csv")]
    options += ["--features", f"look={tmp_path / 'look.npz'}", "--epochs", "2"]
    main(
        [
            "update",
            str(tmp_path / "first"),
            "--data",
            str(folder),
            *options,
            *cpu,
            "--out",
            str(out),
        ]
    )
    told = capsys.readouterr().out
    assert "16 new interactions, 2 new users, 2 new items" in told
    data = load_dataset(out / "data")[0]
    assert (data["user"].num_nodes, data["item"].num_nodes) == (18, 22)
    old = load_dataset(folder)[0]
    torch.testing.assert_close(data["item"].x_look[:20], old["item"].x_look)
    assert (data["item"].x_look[20:] != 0).all()
    test = data["user", "interacts", "item"].test_edge_label_index
    assert torch.equal(test, old["user", "interacts", "item"].test_edge_label_index)
    assert load_model(out / "model.safetensors", data).eval()
    main(["export", str(out), "--data", str(out / "data"), "--out", str(tmp_path / "shop")])
    shop = Recommender.load(tmp_path / "shop")
    assert shop.titles[19:] == ["THING 19", "Twenty", ""]
    assert "customer 17" in shop.user_ids
    # And it goes on from there.
    again = ["update", str(out), "--data", str(out / "data"), "--interactions", str(new)]
    main([*again, *cpu, "--epochs", "1", "--out", str(tmp_path / "third")])
    assert "0 new interactions, 0 new users, 0 new items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--features", "smell=x.npz"], "--features expects NAME=FILE of look"),
        (["--interactions", "no.csv"], "'no.csv' must be a file"),
    ],
)
def test_mistakes_leave_nothing(folder, new, tmp_path, capsys, options, message):
    main(
        [
            "train",
            str(folder),
            "--model",
            "bpr",
            "--epochs",
            "1",
            "--device",
            "cpu",
            "--out",
            str(tmp_path / "first"),
        ]
    )
    argv = ["update", str(tmp_path / "first"), "--data", str(folder), "--interactions", str(new)]
    with pytest.raises(SystemExit) as caught:
        main([*argv, *options, "--device", "cpu", "--out", str(tmp_path / "second")])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_texts_and_pictures_of_new_items_are_encoded_as_the_others(tmp_path, monkeypatch, capsys):
    """New things that are described and drawn as old ones get their features."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    draw = np.random.default_rng(0)
    items = []
    for number in range(20):
        name, colour = [("fire brick", "red"), ("sea sky", "blue")][number % 2]
        picture = Image.new("RGB", (16, 16), colour)
        picture.putpixel((number % 16, 3), (255, 255, 255))
        picture.save(tmp_path / "pictures" / f"{number}.png")
        items.append((f"thing {number}", f"{name} {number % 5}", "old", f"{number}.png"))
    columns = ["item_id", "title", "description", "image"]
    pd.DataFrame(items, columns=columns).to_csv("items.csv", index=False)
    log = [(u, items[i][0]) for u in range(24) for i in draw.permutation(20)[:8]]
    pd.DataFrame(log, columns=["user_id", "item_id"]).to_csv("log.csv", index=False)
    new = [("like 4", *items[4][1:]), ("like 7", *items[7][1:3], ""), ("bare", "", "", "8.png")]
    pd.DataFrame(new, columns=columns).to_csv("new_items.csv", index=False)
    pairs = [(0, "like 4"), (1, "like 7"), (2, "bare"), (3, "untold"), (4, "untold")]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv("new.csv", index=False)
    cpu = "--device cpu"
    for command in (
        "prepare --interactions log.csv --items items.csv --images pictures --out data "
        "--text-encoder tfidf-svd --image-encoder colour-histogram+hog --min-interactions 0",
        f"train data --model bpr --epochs 1 {cpu} --out first",
        "update first --data data --interactions new.csv --items new_items.csv "
        f"--images pictures --epochs 1 {cpu} --out second",
        "export second --data second/data --out shop",
    ):
        main(command.split())
    data = load_dataset(tmp_path / "second" / "data")[0]["item"]
    shop = Recommender.load(tmp_path / "shop")
    place = {name: number for number, name in enumerate(shop.item_ids)}
    for modality, name, like in (
        ("image", "like 4", "thing 4"),
        ("text", "like 4", "thing 4"),
        ("text", "like 7", "thing 7"),
        ("image", "bare", "thing 8"),
    ):
        x = data[f"x_{modality}"]
        torch.testing.assert_close(x[place[name]], x[place[like]], rtol=1e-5, atol=1e-6)
        assert x[place[name]].any()
    for modality, name in (("image", "like 7"), ("text", "bare"), ("text", "untold")):
        assert not data[f"x_{modality}"][place[name]].any()
        assert not data[f"{modality}_mask"][place[name]]
    # The shop, and the next update, know how to encode others.
    assert set(shop.about["encoders"]) == {"image", "text"}
    with pytest.raises(SystemExit):
        main(f"update first --data data --interactions new.csv --images . {cpu} --out x".split())
    assert "--images needs --items" in capsys.readouterr().err
