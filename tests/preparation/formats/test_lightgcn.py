import pytest

from crane_pyg.preparation import Rules, open_folder, prepare, recognise_format
from tests.preparation.formats.folders import PAIRS, USERS, pairs_of, prepared, write

TRAIN = [(u, i) for u, i in PAIRS if i < 6]
TEST = [(u, i) for u, i in PAIRS if i >= 6 and u != 3]


def lists(pairs):
    return [" ".join([str(u), *(str(i) for v, i in pairs if v == u)]) for u in range(USERS)]


def named(pairs):
    return {(str(u), str(i)) for u, i in pairs}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train.txt", *lists(TRAIN))
    write(tmp_path / "test.txt", *lists(TEST))
    return tmp_path


def test_a_tenth_of_train_is_drawn_for_val(folder):
    assert recognise_format(folder) == "lightgcn"
    report, table, shown = prepared(folder)
    assert shown == [
        f"{folder.name}, train {len(TRAIN)} rows, test {len(TEST)} rows: user = user, item = item, "
        "label = split"
    ]
    assert pairs_of(table, 2) == named(TEST)
    assert pairs_of(table, 0) | pairs_of(table, 1) == named(TRAIN)
    assert (table["x_label"] == 1).sum() == len(TRAIN) // 10
    assert report.notes["pairs of train drawn for val, as none was given"] == len(TRAIN) // 10
    sources = open_folder(folder)
    for seed, same in ((0, True), (1, False)):
        prepare(sources, folder / f"s{seed}", name="x", rules=Rules(split="given", seed=seed))
        again = (folder / f"s{seed}" / "x.inter").read_bytes()
        assert (again == (folder / "out" / "x.inter").read_bytes()) == same


def test_val_may_be_given(folder):
    write(folder / "valid.txt", *lists(TEST[::2]))
    write(folder / "test.txt", *lists(TEST[1::2]))
    _, table, _ = prepared(folder)
    assert [pairs_of(table, x) for x in range(3)] == [
        named(x) for x in (TRAIN, TEST[::2], TEST[1::2])
    ]


def test_another_split_takes_all_pairs(folder):
    _, table, _ = prepared(folder, rules=Rules(split="random"))
    assert pairs_of(table) == named(TRAIN + TEST)
    assert pairs_of(table, 2) != named(TEST)


def test_original_ids(folder):
    write(folder / "user_list.txt", "org_id remap_id", *(f"A{u} {u}" for u in range(USERS)))
    write(folder / "item_list.txt", "org_id remap_id", *(f"B{i} {i}" for i in range(8)))
    _, table, _ = prepared(folder)
    assert pairs_of(table, 2) == {(f"A{u}", f"B{i}") for u, i in TEST}
    write(folder / "item_list.txt", "org_id remap_id", "B0 0")
    with pytest.raises(ValueError, match=r"train\.txt', line 1, column 'item': must be a number"):
        prepared(folder)
    write(folder / "item_list.txt", "org_id remap_id", "B0")
    with pytest.raises(ValueError, match=r"item_list\.txt', line 2: must be an id and a number"):
        prepared(folder)


def test_bytes_that_are_no_text_are_named(folder):
    (folder / "test.txt").write_bytes(b"0 1 2\n1 \xff\n")
    with pytest.raises(ValueError, match=r"test\.txt', line 2: must be UTF-8 \(got the byte"):
        prepared(folder)


def test_a_missing_file_is_named(folder):
    (folder / "train.txt").unlink()
    with pytest.raises(ValueError, match=r"must hold a file 'train\.txt'"):
        open_folder(folder, "lightgcn")
