import itertools
import json

import numpy as np
import pandas as pd
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_pyg.datasets import AmazonMultimodal
from crane_pyg.datasets.amazon import convert
from crane_pyg.datasets.amazon.categories import find_category
from crane_pyg.schema import ITEM_TO_USER, USER_TO_ITEM
from tests.datasets.amazon.originals import IMAGES, META, PAIRS, asin, look, splits, write


def test_original_files(tmp_path):
    dataset = AmazonMultimodal(write(tmp_path), "Baby")
    assert repr(dataset) == (
        "AmazonMultimodal('baby', num_users=5, num_items=8, num_interactions=20)"
    )
    assert sorted(itertools.chain(*splits(dataset))) == PAIRS
    assert [len(part) for part in splits(dataset)] == [16, 2, 2]
    item = dataset[0]["item"]
    assert torch.equal(item.x_image, torch.from_numpy(np.stack([look(i) for i in range(8)])))
    assert item.x_text.shape[0] == 8
    assert item.text_mask.all()
    users = pd.read_csv(tmp_path / "processed/baby/users.csv")
    items = pd.read_csv(tmp_path / "processed/baby/items.csv")
    assert users["original_id"].tolist() == [f"A{user:03d}" for user in range(5)]
    assert items["original_id"].tolist() == [asin(i) for i in range(8)]
    (note,) = dataset.report.notes
    assert note.startswith("warning: not the whole of Baby: 5 / 8 / 20 users / items")
    assert note in str(dataset.report).splitlines()


def test_rare_users_are_dropped_and_the_counts_are_still_those_of_the_files(tmp_path):
    dataset = AmazonMultimodal(write(tmp_path, [*PAIRS, (9, 0)]), "baby", min_user_interactions=4)
    assert dataset.report.num_users == 5
    assert "6 / 8 / 21 users" in dataset.report.notes[-1]


def test_the_counts_of_table_2_pass_without_a_word(tmp_path, monkeypatch):
    category = find_category("baby")._replace(sizes=(5, 8, 20))
    monkeypatch.setattr("crane_pyg.datasets.amazon.dataset.find_category", lambda name: category)
    assert AmazonMultimodal(write(tmp_path), "baby").report.notes == ()


def test_items_without_text_or_image_are_masked_and_counted(tmp_path):
    write(tmp_path, meta=[0, 1, 2, 3, 4, 6, 7, 99], images=[0, 1, 3, 4, 5, 6, 7, 99])
    dataset = AmazonMultimodal(tmp_path, "baby")
    item = dataset[0]["item"]
    assert (~item.image_mask).nonzero().flatten().tolist() == [2]
    assert (~item.text_mask).nonzero().flatten().tolist() == [5]
    assert not item.x_image[2].any()
    assert dataset.report.num_missing == {"image": 1, "text": 1}


def test_repeats_are_merged_and_counted(tmp_path):
    write(tmp_path, [*PAIRS, PAIRS[0], PAIRS[0]], meta=[*range(8), 3], images=[*range(8), 4, 4])
    dataset = AmazonMultimodal(tmp_path, "baby")
    assert dataset.report.num_interactions == 20
    assert dataset.report.num_duplicates == 2
    assert dataset.report.notes[:2] == (
        "records of meta that repeat another: 1",
        "records of image_features that repeat another: 2",
    )
    table = pd.read_csv(tmp_path / "processed/baby/baby.inter", sep="\t")
    assert table["timestamp"][0] == 0  # of the earliest


def test_the_order_of_lines_is_no_matter(tmp_path):
    first = AmazonMultimodal(write(tmp_path / "a"), "baby")
    write(tmp_path / "b", PAIRS[::-1], meta=range(7, -1, -1), images=range(7, -1, -1))
    second = AmazonMultimodal(tmp_path / "b", "baby")
    assert splits(first) == splits(second)
    torch.testing.assert_close(first[0]["item"].x_image, second[0]["item"].x_image)
    torch.testing.assert_close(first[0]["item"].x_text, second[0]["item"].x_text)


def test_conversion_happens_once_and_again_when_files_change(tmp_path, monkeypatch):
    AmazonMultimodal(write(tmp_path), "baby")
    (tmp_path / "processed" / "baby" / ".note").touch()
    monkeypatch.setattr(convert, "read_reviews", None)
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 8
    for name in (META, IMAGES):
        (tmp_path / "raw" / name).unlink()
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 8
    (tmp_path / "processed" / "baby" / ".note").unlink()
    monkeypatch.undo()
    write(tmp_path, PAIRS[:16], meta=range(7), images=range(7))
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 7


def test_another_encoder_or_force_converts_again(tmp_path):
    AmazonMultimodal(write(tmp_path), "baby")
    file = tmp_path / "processed/baby/dataset.json"
    before = file.stat().st_mtime_ns
    dataset = AmazonMultimodal(tmp_path, "baby", text_encoder="tfidf-svd-3")
    assert dataset[0]["item"].x_text.size(1) == 3
    assert json.loads(file.read_text())["encoders"]["text"] == "tfidf-svd-3"
    middle = file.stat().st_mtime_ns
    assert AmazonMultimodal(tmp_path, "baby")[0]["item"].x_text.size(1) == 3
    assert before < middle == file.stat().st_mtime_ns
    AmazonMultimodal(tmp_path, "baby", force_reload=True)
    assert middle < file.stat().st_mtime_ns


def test_preprocessed_files_come_first(tmp_path):
    raw = write(tmp_path) / "raw"
    (raw / "baby.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n1\t2\t2\n")
    np.save(raw / "text_feat.npy", np.ones((3, 2), dtype=np.float32))
    np.save(raw / "image_feat.npy", np.eye(3, dtype=np.float32))
    dataset = AmazonMultimodal(tmp_path, "Baby")
    assert splits(dataset) == [[(0, 0)], [(0, 1)], [(1, 2)]]
    assert sorted(dataset.raw_file_names) == ["baby.inter", "image_feat.npy", "text_feat.npy"]
    assert dataset[0]["item"].x_text.shape == (3, 2)
    assert "2 / 3 / 3 users" in dataset.report.notes[0]
    assert AmazonMultimodal(tmp_path, "Baby", min_user_interactions=1).report.num_users == 2
    assert not (tmp_path / "processed").exists()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=10, max_size=60),
    data=st.data(),
)
def test_any_originals_are_read_back(tmp_path_factory, pairs, data):
    root = tmp_path_factory.mktemp("any")
    items = sorted({item for _, item in pairs})
    users = sorted({user for user, _ in pairs})
    seen = data.draw(st.lists(st.sampled_from(items), min_size=1, unique=True))
    told = data.draw(st.lists(st.sampled_from(items), min_size=1, unique=True))
    write(root, data.draw(st.permutations(sorted(pairs))), meta=told, images=[*seen, 55])
    graph = (dataset := AmazonMultimodal(root, "baby"))[0]
    found = sorted((users[user], items[item]) for part in splits(dataset) for user, item in part)
    assert found == sorted(pairs)
    assert graph[ITEM_TO_USER].num_edges == graph[USER_TO_ITEM].num_edges
    assert graph["item"].image_mask.tolist() == [item in seen for item in items]
    assert graph["item"].text_mask.tolist() == [item in told for item in items]
    for place, item in enumerate(items):
        expected = look(item) if item in seen else np.zeros(4096)
        assert np.array_equal(graph["item"].x_image[place].numpy(), expected)
