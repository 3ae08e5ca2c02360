import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_pyg.datasets import MultimodalDataset, modalities

EDGE = ("user", "interacts", "item")
REVERSE = ("item", "rev_interacts", "user")

SIX = [(1, 0, 0), (0, 2, 0), (0, 1, 0), (2, 3, 1), (1, 1, 0), (2, 0, 2)]


def write(folder, rows, **features):
    lines = ["userID\titemID\tx_label", *("\t".join(map(str, row)) for row in rows)]
    (folder / "shop.inter").write_text("\n".join(lines) + "\n")
    for name, x in features.items():
        np.save(folder / f"{name}_feat.npy", np.asarray(x, dtype=np.float32))
    return folder


def checkerboard(num_users, num_items):
    return [(u, i, 0) for u in range(num_users) for i in range(num_items) if (u + i) % 2 == 0]


def all_pairs(data):
    store = data[EDGE]
    parts = (store.edge_index, store.val_edge_label_index, store.test_edge_label_index)
    return [sorted(zip(*part.tolist(), strict=True)) for part in parts]


def test_repr(tmp_path):
    dataset = MultimodalDataset(write(tmp_path, SIX))
    assert repr(dataset) == (
        "MultimodalDataset('shop', num_users=3, num_items=4, num_interactions=6)"
    )
    assert len(dataset) == 1


def test_six_interactions(tmp_path):
    text = [[1, 2], [0, 0], [0, 3], [4, 5]]
    data = MultimodalDataset(write(tmp_path, SIX, text=text, image=np.eye(4)))[0]
    data.validate()
    assert data["user"].num_nodes == 3
    assert data["item"].num_nodes == 4
    assert data[EDGE].edge_index.tolist() == [[0, 0, 1, 1], [1, 2, 0, 1]]
    assert data[REVERSE].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 1, 0]]
    assert data[EDGE].val_edge_label_index.tolist() == [[2], [3]]
    assert data[EDGE].test_edge_label_index.tolist() == [[2], [0]]
    assert data["item"].x_text.tolist() == text
    assert data["item"].text_mask.tolist() == [True, False, True, True]
    assert modalities(data) == {"image": 4, "text": 2}
    assert "original_id" not in data["user"]


def test_report(tmp_path):
    text = [[1, 2], [0, 0], [0, 3], [4, 5], [0, 0]]
    report = MultimodalDataset(write(tmp_path, SIX, text=text)).report
    assert (report.num_train, report.num_val, report.num_test) == (4, 1, 1)
    assert report.users_without_train == 1
    assert report.items_without_train == 2
    assert report.items_without_modality == 2
    assert report.num_missing == {"text": 2}
    assert "text: 2 items lack it (all-zero row)" in str(report).splitlines()


def test_items_need_no_features(tmp_path):
    dataset = MultimodalDataset(write(tmp_path, SIX))
    assert modalities(dataset[0]) == {}
    assert dataset.report.items_without_modality == 4


def test_features_may_know_more_items(tmp_path):
    data = MultimodalDataset(write(tmp_path, SIX, text=np.ones((9, 1))))[0]
    assert data["item"].num_nodes == 9


def test_nothing_is_written_and_changes_are_seen(tmp_path):
    write(tmp_path, SIX)
    before = sorted(tmp_path.iterdir())
    assert MultimodalDataset(tmp_path)[0][EDGE].edge_index.size(1) == 4
    assert sorted(tmp_path.iterdir()) == before
    write(tmp_path, [*SIX, (2, 2, 0)])
    assert MultimodalDataset(tmp_path)[0][EDGE].edge_index.size(1) == 5


def test_is_an_in_memory_dataset(tmp_path):
    def mark(data):
        data.marks = data.get("marks", 0) + 1
        return data

    dataset = MultimodalDataset(
        str(write(tmp_path, SIX, text=np.eye(4))), transform=mark, pre_transform=mark
    )
    assert dataset[0].marks == 2
    assert dataset[0].marks == 2
    assert copy.copy(dataset)[0][EDGE].edge_index.size(1) == 4
    assert [path.rsplit("/")[-1] for path in dataset.raw_paths] == ["shop.inter", "text_feat.npy"]
    dataset.transform = dataset.pre_transform = None
    assert repr(pickle.loads(pickle.dumps(dataset))) == repr(dataset)


def test_duplicates_are_merged_and_counted(tmp_path):
    dataset = MultimodalDataset(write(tmp_path, [*SIX, SIX[0], SIX[0], SIX[5]]))
    assert dataset.report.num_duplicates == 3
    assert dataset.report.num_leaked == 0
    assert dataset.report.num_interactions == 6
    assert dataset[0][EDGE].edge_index.size(1) == 4


def test_leaked_pairs_stay_in_their_earliest_split(tmp_path):
    rows = [(1, 0, 2), *SIX, (2, 3, 2), (2, 3, 2)]
    dataset = MultimodalDataset(write(tmp_path, rows))
    assert dataset.report.num_leaked == 2
    assert dataset.report.num_duplicates == 3
    train, val, test = all_pairs(dataset[0])
    assert (1, 0) in train
    assert val == [(2, 3)]
    assert test == [(2, 0)]


def test_filter_drops_and_renumbers_users(tmp_path):
    rows = [*SIX, (5, 0, 0), (5, 0, 0), (7, 1, 0), (7, 2, 1), (7, 3, 2)]
    data = MultimodalDataset(write(tmp_path, rows))[0]
    assert data["user"].num_nodes == 8

    dataset = MultimodalDataset(tmp_path, min_user_interactions=2)
    data = dataset[0]
    assert data["user"].num_nodes == 4
    assert data["user"].original_id.tolist() == [0, 1, 2, 7]
    assert data["item"].num_nodes == 4
    assert dataset.report.num_dropped_users == 4
    train, val, test = all_pairs(data)
    assert train == [(0, 1), (0, 2), (1, 0), (1, 1), (3, 1)]
    assert val == [(2, 3), (3, 2)]
    assert test == [(2, 0), (3, 3)]


def test_filter_that_drops_nobody_keeps_ids(tmp_path):
    dataset = MultimodalDataset(write(tmp_path, SIX), min_user_interactions=2)
    assert "original_id" not in dataset[0]["user"]
    assert dataset.report.num_dropped_users == 0


def test_random_split(tmp_path):
    rows = checkerboard(11, 11)
    write(tmp_path, rows)
    assert len(rows) == 61
    first = all_pairs(MultimodalDataset(tmp_path, split="random", seed=3)[0])
    assert [len(part) for part in first] == [49, 6, 6]
    assert sorted(pair for part in first for pair in part) == sorted((u, i) for u, i, _ in rows)
    assert first != all_pairs(MultimodalDataset(tmp_path, split="random", seed=4)[0])

    write(tmp_path, rows[::-1] + rows[:9])
    assert first == all_pairs(MultimodalDataset(tmp_path, split="random", seed=3)[0])


def test_random_split_needs_no_labels(tmp_path):
    lines = ["itemID\tuserID", *(f"{i}\t{u}" for u, i, _ in checkerboard(8, 8))]
    (tmp_path / "shop.inter").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="needs a column 'x_label'"):
        MultimodalDataset(tmp_path)
    assert MultimodalDataset(tmp_path, split="random").report.num_interactions == 32


def test_split_by_time(tmp_path):
    times = [5, 9, 3, 4, 1, 2, 8, 7, 6, 0, 10]  # the last repeats the first at a later moment
    rows = [(k % 10, (k % 10) % 3, times[k]) for k in range(11)]
    lines = ["userID\titemID\ttimestamp", *("\t".join(map(str, row)) for row in rows)]
    (tmp_path / "shop.inter").write_text("\n".join(lines))
    dataset = MultimodalDataset(tmp_path, split="time")
    train, val, test = all_pairs(dataset[0])
    assert (val, test) == ([(6, 0)], [(1, 1)])
    assert len(train) == 8
    assert (dataset.report.num_duplicates, dataset.report.num_leaked) == (1, 0)
    with pytest.raises(ValueError, match=r"train split is empty.*got 0 .*'time', min_user"):
        MultimodalDataset(tmp_path, split="time", min_user_interactions=2)
    now = [f"{k}\t0\t7" for k in range(10)]
    (tmp_path / "shop.inter").write_text("\n".join([lines[0], *now]))
    with pytest.raises(ValueError, match=r"the train split .*got 10 .*split='time'"):
        MultimodalDataset(tmp_path, split="time")
    (tmp_path / "shop.inter").write_text("userID\titemID\ttimestamp\n1\t2\tsoon\n")
    with pytest.raises(ValueError, match=r"line 2, column 'timestamp': must be a finite number"):
        MultimodalDataset(tmp_path, split="time")


def test_split_by_the_last_of_each_user(tmp_path):
    rows = [(u, (u + t) % 7, t) for u in range(3) for t in (3, 1, 0, 2)]
    rows += [(1, 4, 9), (3, 0, 5), (3, 1, 6)]  # a pair again, later; a user of two
    lines = ["userID\titemID\ttimestamp", *("\t".join(map(str, row)) for row in rows)]
    (tmp_path / "shop.inter").write_text("\n".join(lines))
    train, val, test = all_pairs(MultimodalDataset(tmp_path, split="last")[0])
    assert val == [(u, u + 2) for u in range(3)]
    assert test == [(u, u + 3) for u in range(3)]
    assert train == sorted([(u, u + t) for u in range(3) for t in (0, 1)] + [(3, 0), (3, 1)])


def test_cold_split(tmp_path):
    # User u takes the items u, u + 1 and u + 2 of twenty; seed 0 draws the cold ones.
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    rows = [(u, (u + k) % 20) for u in range(20) for k in range(3)]
    lone = [(20, order[0]), (21, order[1])]  # users of one item, which is held out
    lines = ["userID\titemID", *("\t".join(map(str, row)) for row in rows + lone)]
    (tmp_path / "shop.inter").write_text("\n".join(lines))
    dataset = MultimodalDataset(tmp_path, split="cold")
    train, val, test = all_pairs(dataset[0])
    assert val == sorted(row for row in rows + lone if row[1] == order[0])
    assert test == sorted(row for row in rows + lone if row[1] == order[1])
    assert train == sorted(row for row in rows if row[1] not in order[:2])
    assert (dataset.report.items_without_train, dataset.report.users_without_train) == (2, 2)
    assert dataset[0]["user"].num_nodes == 22
    other = MultimodalDataset(tmp_path, split="cold", seed=1)
    assert {i for _, i in all_pairs(other[0])[2]} != {order[1]}


def test_user_who_is_held_out_entirely(tmp_path):
    write(tmp_path, [(user, 0, 0) for user in range(20)])
    dataset = MultimodalDataset(tmp_path, split="random")
    assert dataset.report.users_without_train == 4
    assert dataset[0]["user"].num_nodes == 20


@pytest.mark.parametrize(("value", "name"), [(0, "train"), (1, "val"), (2, "test")])
def test_given_split_must_not_be_empty(tmp_path, value, name):
    write(tmp_path, [row for row in SIX if row[2] != value])
    with pytest.raises(ValueError, match=rf"shop\.inter': the {name} split is empty.* {value} "):
        MultimodalDataset(tmp_path)


@pytest.mark.parametrize("split", ["given", "random"])
def test_filter_must_leave_something(tmp_path, split):
    write(tmp_path, checkerboard(8, 8))
    with pytest.raises(ValueError, match=r"shop\.inter'.*min_user_interactions=5"):
        MultimodalDataset(tmp_path, split=split, min_user_interactions=5)


def test_item_beyond_the_features(tmp_path):
    write(tmp_path, SIX, text=np.ones((3, 2)))
    with pytest.raises(
        ValueError, match=r"shop\.inter', line 5, .*below 3, .*text_feat\.npy' \(got 3\)"
    ):
        MultimodalDataset(tmp_path)


def test_features_of_different_length(tmp_path):
    write(tmp_path, SIX, text=np.ones((4, 2)), image=np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"text_feat\.npy' must .*image_feat\.npy': 5 \(got 4\)"):
        MultimodalDataset(tmp_path)


def test_arguments(tmp_path):
    write(tmp_path, SIX)
    with pytest.raises(ValueError, match=r"split must be .*got 'temporal'"):
        MultimodalDataset(tmp_path, split="temporal")
    with pytest.raises(ValueError, match=r"must not be negative .*got -1"):
        MultimodalDataset(tmp_path, min_user_interactions=-1)
    with pytest.raises(ValueError, match="does not exist"):
        MultimodalDataset(tmp_path / "nowhere")


pairs = st.tuples(st.integers(0, 40), st.integers(0, 40))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    label=st.dictionaries(pairs, st.integers(0, 2), min_size=3).filter(
        lambda label: set(label.values()) == {0, 1, 2}
    ),
    data=st.data(),
)
def test_any_set_of_pairs_is_read_back(tmp_path, label, data):
    rows = data.draw(st.permutations([(*pair, value) for pair, value in label.items()]))
    graph = MultimodalDataset(write(tmp_path, rows))[0]
    expected = [sorted(pair for pair in label if label[pair] == value) for value in range(3)]
    assert all_pairs(graph) == expected
    reverse = graph[REVERSE].edge_index
    assert list(zip(*reverse.tolist(), strict=True)) == sorted((i, u) for u, i in expected[0])
    assert torch.equal(graph[EDGE].edge_index, torch.tensor(expected[0]).T)
