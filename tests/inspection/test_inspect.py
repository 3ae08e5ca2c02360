import json

import numpy as np
import pandas as pd
import pytest

from crane_pyg.datasets import MultimodalDataset
from crane_pyg.inspection import inspect_dataset, to_markdown


@pytest.fixture
def write(tmp_path):
    """A folder without a fault, but for what a test changes."""

    def folder(rows=(), drop=(), **features):
        rng = np.random.default_rng(0)
        log = [(u, (u + 3 * n) % 18, max(0, n - 3)) for u in range(20) for n in range(6)]
        log = [(u, i, min(label, 2)) for u, i, label in log if label not in drop]
        table = pd.DataFrame([*log, *rows], columns=["userID", "itemID", "x_label"])
        table.to_csv(tmp_path / "shop.inter", sep="\t", index=False)
        # Who takes an item also takes what is three further: the features say so.
        angle = 2 * np.pi * (np.arange(18) % 3) / 3
        look = np.stack([np.cos(angle), np.sin(angle)], 1) @ rng.standard_normal((2, 6))
        features = {"image": look + 0.1 * rng.standard_normal((18, 6)), **features}
        for name, x in features.items():
            np.save(tmp_path / f"{name}_feat.npy", x)
        return tmp_path

    return folder


def test_a_folder_without_a_fault(write):
    found = inspect_dataset(write())
    assert found.name == "shop"
    assert found.errors == found.warnings == ()
    assert found.overlap == {"image": 18}
    assert "Nothing is wrong" in to_markdown(found)
    report = MultimodalDataset(write()).report
    assert found.interactions.splits["train"].interactions == report.num_train
    assert found.interactions.distinct == report.num_interactions


def test_features_that_cannot_be_read_by_their_name_are_an_error(write):
    folder = write()
    np.save(folder / "x_feat.npy", np.ones((18, 2)))
    (error,) = inspect_dataset(folder).errors
    assert error.startswith(f"'{folder / 'x_feat.npy'}': Features must be called by")
    with pytest.raises(ValueError, match=r"x_feat\.npy': Features must be called"):
        MultimodalDataset(folder)


def test_all_problems_at_once(write):
    rng = np.random.default_rng(0)
    text = rng.standard_normal((14, 3))
    text[3, 1], text[5, 0] = np.nan, np.inf
    rows = [(0, 0, 1), (0, 0, 2), (1, 1, 0), (25, 20, 2)]
    found = inspect_dataset(write(rows, text=text, sound=np.zeros((18, 2)), words=np.array(["a"])))
    for part in (
        "words_feat.npy' must hold real numbers",
        "every modality must have a row per item (got {'image': 18, 'sound': 18, 'text': 14})",
        "image: the interactions name items up to 20, the features have 18 rows",
        "text: the interactions name items up to 20, the features have 14 rows",
        "text: 2 rows have NaN or infinity, the first is row 3",
        "sound: no item has it",
        "1 pairs are in train and in val",
        "1 pairs are in train and in test",
        "1 pairs are in val and in test",
    ):
        assert sum(part in error for error in found.errors) == 1, part
    assert len(found.errors) == 9 + 1  # sound has too few rows, too
    for part in (
        "1 rows repeat a pair",
        "test: 1 users have no training",
        "test: 1 items have no training",
        "5 user ids have no interaction",
        "2 item ids have no interaction",
        "sound: 18 items lack it",
    ):
        assert any(part in warning for warning in found.warnings), part
    assert found.overlap == {"image + text": 12, "image": 6}


@pytest.mark.parametrize(("label", "name"), [(0, "train"), (1, "val"), (2, "test")])
def test_empty_splits(write, label, name):
    found = inspect_dataset(write(drop=[label, 3] if label == 2 else [label]))
    assert f"the {name} split is empty" in found.errors


def test_a_log_that_cannot_be_read_does_not_hide_the_features(write):
    folder = write(image=np.full((4, 2), np.nan))
    (folder / "shop.inter").write_text("userID\titemID\tx_label\n0\tseven\t0\n")
    found = inspect_dataset(folder)
    assert found.interactions is None
    assert "line 2, column 'itemID'" in found.errors[0]
    assert any("4 rows have NaN" in error for error in found.errors)
    (folder / "shop.inter").unlink()
    assert "must hold one '.inter' file" in inspect_dataset(folder).errors[0]
    to_markdown(found)


def test_rows_in_another_order_than_ids(write):
    folder = write()
    image = np.load(folder / "image_feat.npy")
    np.save(folder / "image_feat.npy", image[np.random.default_rng(3).permutation(18)])
    assert any("line up" in warning for warning in inspect_dataset(folder).warnings)


def test_placeholders_and_gaps_and_dead_channels(write):
    x = np.random.default_rng(0).standard_normal((18, 4))
    x[:, 2] = 1
    x[3:8] = 0.5
    x[9] = 0
    warnings = "\n".join(inspect_dataset(write(text=x)).warnings)
    assert "text: 1 items lack it" in warnings
    assert "text: 5 rows have one value throughout" in warnings
    assert "text: 4 rows repeat others, the most frequent one occurs 5 times" in warnings
    x[3:8, 0] = np.arange(5)
    x[3:8, 2] = 1
    assert "text: 1 of 4 channels" in "\n".join(inspect_dataset(write(text=x)).warnings)


def test_a_random_split_needs_no_labels(write):
    folder = write()
    table = pd.read_csv(folder / "shop.inter", sep="\t").drop(columns="x_label")
    table.to_csv(folder / "shop.inter", sep="\t", index=False)
    assert "needs a column 'x_label'" in inspect_dataset(folder).errors[0]
    found = inspect_dataset(folder, split="random", seed=1)
    assert found.errors == ()
    assert [split.interactions for split in found.interactions.splits.values()] == [96, 12, 12]
    data = MultimodalDataset(folder, split="random", seed=1)
    assert found.interactions.splits["val"].cold_users == 0
    assert found.interactions.user.mean == data.report.num_interactions / 20


@pytest.mark.parametrize("split", ["time", "last"])
def test_a_split_by_time(write, split):
    folder = write(rows=[(0, 0, 0)])
    table = pd.read_csv(folder / "shop.inter", sep="\t")
    table["timestamp"] = range(len(table))
    table.to_csv(folder / "shop.inter", sep="\t", index=False)
    found = inspect_dataset(folder, split=split)
    report = MultimodalDataset(folder, split=split).report
    splits = [split.interactions for split in found.interactions.splits.values()]
    assert splits == [report.num_train, report.num_val, report.num_test]
    assert "1 rows repeat a pair, and are merged" in found.warnings


def test_presets_and_json():
    found = inspect_dataset("tiny")
    assert found.errors == ()
    assert found.interactions.distinct == 4500
    assert all(modality.agreement.z > 10 for modality in found.modalities.values())
    assert json.loads(json.dumps(found.to_dict()))["overlap"] == {"textual + visual": 200}
    cold = inspect_dataset("tiny", split="cold")
    assert cold.errors == ()
    assert "test: 10 items have no training interaction" in cold.warnings
    with pytest.raises(ValueError, match="must be a folder.*one of the presets tiny.*got 'huge'"):
        inspect_dataset("huge")
    with pytest.raises(ValueError, match="split must be one of 'given', 'random'.* .got 'late'"):
        inspect_dataset("tiny", split="late")
