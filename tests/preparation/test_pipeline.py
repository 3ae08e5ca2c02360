import csv
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from crane_pyg.datasets import MultimodalDataset, modalities
from crane_pyg.datasets.ids import read_ids
from crane_pyg.encoders import WordProjection
from crane_pyg.preparation import Encoding, Rules, Sources, prepare

EDGE = ("user", "interacts", "item")


@pytest.fixture
def shop(tmp_path):
    """Twelve users with the ten items; item 9 has no text, item 8 no picture."""
    rows = [
        (f"u {u}", f"i,{i}", 1 + (u + i) % 5, 100 * i + u) for u in range(12) for i in range(10)
    ]
    log = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    log.to_csv(tmp_path / "log.csv", index=False)
    items = [(f"i,{i}", f"word{i % 3} word" if i < 9 else "", "by hand") for i in range(11)]
    pd.DataFrame(items, columns=["id", "title", "brand"]).to_csv(
        tmp_path / "items.csv", index=False
    )
    (tmp_path / "pics").mkdir()
    for i in (*range(8), 9):
        Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(
            tmp_path / "pics" / f"i,{i}.{'jpg' if i else 'webp'}"
        )
    return tmp_path


def sources(folder, **more):
    return Sources(folder / "log.csv", folder / "items.csv", **more)


def originals(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [row["original_id"] for row in csv.DictReader(file)]


def test_everything_at_once(shop):
    np.savez(shop / "x.npz", ids=[f"i,{i}" for i in (9, 3)], features=[[9.0], [3.0]])
    shown = []
    report = prepare(
        sources(
            shop, images=shop / "pics", features={"audio": shop / "x.npz"}, text_columns=["title"]
        ),
        shop / "out",
        rules=Rules(min_rating=2, k_core=3, split="last"),
        encoding=Encoding(text="tfidf-svd-2"),
        show=shown.append,
    )
    assert shown == [
        "log.csv, 121 lines: user = user, item = item, rating = rating, timestamp = timestamp",
        "items.csv, 12 lines: item = id, text = title",
    ]
    assert report.dropped == {
        "of unknown items": 0,
        "that repeat a pair": 0,
        "rated below 2": 24,
        "of users or items with too few": 0,
    }
    assert report.labels == [72, 12, 12]
    assert report.missing == {"audio": 8, "text": 1, "image": 1}
    data = MultimodalDataset(shop / "out")[0]
    assert modalities(data) == {"audio": 1, "image": 580, "text": 2}
    items = originals(shop / "out" / "items.csv")
    for name, lacking in (("text", "i,9"), ("image", "i,8")):
        mask = data["item"][f"{name}_mask"].tolist()
        assert [item for item, has in zip(items, mask) if not has] == [lacking]
    assert {item: x for item, (x,) in zip(items, data["item"].x_audio.tolist()) if x} == {
        "i,9": 9,
        "i,3": 3,
    }
    users, store = originals(shop / "out" / "users.csv"), data[EDGE]
    log = pd.read_csv(shop / "log.csv")
    last = log[log.rating >= 2].sort_values("timestamp").groupby("user").item.last()
    test = {users[u]: items[i] for u, i in store.test_edge_label_index.T.tolist()}
    assert test == last.to_dict()
    about = json.loads((shop / "out" / "dataset.json").read_text())
    assert about["encoders"] == {
        "audio": "file x.npz",
        "text": "tfidf-svd-2",
        "image": "colour-histogram+hog-580",
    }
    assert about["filters"]["split"] == "last"
    assert len(about["source"]["interactions"]["sha256"]) == 64


def test_report(shop):
    (shop / "pics" / "i,4.jpg").write_bytes(b"broken")
    with (shop / "log.csv").open("a") as file:
        file.write('u 0,"i,1",5,9999\nu 0,none of them,5,900\n')
    report = prepare(
        sources(shop, images=shop / "pics", text_columns=()), shop / "out", unknown_items="drop"
    )
    assert str(report).splitlines()[:-1] == [
        "rows read: 122",
        "rows dropped of unknown items: 1",
        "rows dropped that repeat a pair: 1",
        "users: 12",
        "items: 10",
        "interactions: 120 (train 96, val 12, test 12)",
        "image: colour-histogram+hog-580, 2 items lack it (all-zero row)",
        "pictures that cannot be read: 1",
    ]
    assert str(report).splitlines()[-1].startswith("  i,4: UnidentifiedImageError")
    table = pd.read_csv(shop / "out" / "out.inter", sep="\t")
    assert table.rating[table.timestamp == 9999].tolist() == []
    assert len(table) == 120


def test_unknown_items_may_stay(shop):
    with (shop / "log.csv").open("a") as file:
        file.write("u 0,none of them,5,900\n")
    report = prepare(sources(shop, text_columns=["title"]), shop / "out", unknown_items="keep")
    assert report.num_items == 11
    assert report.missing == {"text": 2}


def test_a_given_split(shop):
    log = pd.read_csv(shop / "log.csv")
    log["split"] = ["train", "train", "valid", "test", "train"] * 24
    log = pd.concat([log, log[:3].assign(split="test")])
    log.to_parquet(shop / "log.csv")
    report = prepare(sources(shop, text_columns=()), shop / "out", rules=Rules(split="given"))
    assert report.labels == [72, 24, 24]
    assert report.num_leaked == 3
    data = MultimodalDataset(shop / "out")
    assert data.report.num_leaked == data.report.num_duplicates == 0


@pytest.mark.parametrize("split", ["random", "time", "last", "cold"])
def test_preparing_and_reading_draw_the_same_split(shop, split):
    log = pd.read_csv(shop / "log.csv").sample(frac=1, random_state=0)  # in no order
    log = pd.concat([log, log.assign(item=log.item + "b"), log[:7].assign(timestamp=9999)])
    log.timestamp = log.timestamp / 8 - 50  # some before 1970, most not whole
    log.to_csv(shop / "log.csv", index=False)
    for seed in (0, 3):
        rules = Rules(split=split, seed=seed)
        prepare(Sources(shop / "log.csv"), shop / "out", rules=rules, overwrite=True)
        given, drawn = (
            MultimodalDataset(shop / "out", split=by, seed=seed)[0][EDGE] for by in ("given", split)
        )
        for key in ("edge_index", "val_edge_label_index", "test_edge_label_index"):
            assert torch.equal(given[key], drawn[key])


def test_of_a_pair_that_comes_twice_the_earliest_row_counts(shop):
    log = pd.read_csv(shop / "log.csv")
    first, later = log[:9].assign(rating=1, timestamp=-5), log[9:20].assign(timestamp=9999)
    pd.concat([log, first, later]).to_csv(shop / "log.csv", index=False)
    report = prepare(sources(shop, text_columns=()), shop / "out", rules=Rules(min_rating=1.5))
    assert report.dropped["that repeat a pair"] == 20
    assert report.dropped["rated below 1.5"] == 9 + (log.rating[9:] == 1).sum()
    table = pd.read_csv(shop / "out" / "out.inter", sep="\t")
    assert table.timestamp.isin(log.timestamp[9:]).all()


name = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
).filter(lambda name: name.strip().lower() not in {"", "nan", "null", "none", "<na>", "n/a", "nat"})


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    log=st.lists(st.tuples(name, name, st.integers(0, 99)), min_size=10, unique_by=lambda x: x[:2]),
    mark=st.sampled_from(",\t"),
)
def test_a_log_comes_back_from_the_folder(tmp_path, log, mark):
    with (tmp_path / "log").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=mark).writerows([("user", "item", "time"), *log])
    out = tmp_path / "out"
    prepare(Sources(tmp_path / "log"), out, overwrite=True)
    users, items = originals(out / "users.csv"), originals(out / "items.csv")
    store = MultimodalDataset(out)[0][EDGE]
    parts = (store.edge_index, store.val_edge_label_index, store.test_edge_label_index)
    pairs = [(users[u], items[i]) for part in parts for u, i in part.T.tolist()]
    assert sorted(pairs) == sorted((u, i) for u, i, _ in log)
    table = pd.read_csv(out / "out.inter", sep="\t")
    time = {(users[u], items[i]): t for u, i, t in table[["userID", "itemID", "timestamp"]].values}
    assert time == {(u, i): t for u, i, t in log}


def test_titles_pictures_and_words_are_kept_for_later(shop):
    (shop / "pics" / "i,2.jpg").rename(shop / "elsewhere.jpg")
    encoding = Encoding(text="tfidf-svd-2")
    prepare(sources(shop, images=shop / "pics"), shop / "out", encoding=encoding)
    table = read_ids(shop / "out", "items", 10).set_index("original_id")
    assert table["title"].to_dict() == {
        f"i,{i}": f"word{i % 3} word" if i < 9 else "" for i in range(10)
    }
    lacking = {"i,2", "i,8"}
    for item, image in table["image"].items():
        ending = "webp" if item == "i,0" else "jpg"
        assert image == ("" if item in lacking else f"{item}.{ending}")
    words = WordProjection.load(shop / "out" / "text_encoder.npz")
    texts = [f"{title}\nby hand" for title in table["title"]]
    kept = np.load(shop / "out" / "text_feat.npy")
    assert np.allclose(words.encode(texts), kept, atol=1e-5)


def test_a_title_that_is_no_text_of_its_own(shop):
    prepare(sources(shop, text_columns=["brand"]), shop / "out")
    assert read_ids(shop / "out", "items", 10)["title"].str.startswith("word").sum() == 9
    table = pd.read_csv(shop / "items.csv")
    table.rename(columns={"title": "heading"}).to_csv(shop / "items.csv", index=False)
    prepare(sources(shop, text_columns=["brand"]), shop / "other")
    assert list(read_ids(shop / "other", "items", 10)) == ["original_id"]
