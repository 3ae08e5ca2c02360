import copy

import pytest
import torch

from crane_pyg.experiments.folder import claim_folder, hold_folder
from crane_pyg.seals import DamagedFileError, read_record
from crane_pyg.training.identity import fingerprint

IDENTITY = {"protocol": "strict", "settings of bpr": {"lr": 0.1, "epochs": 3}}


def test_a_folder_takes_more_runs_of_the_same_kind(tmp_path):
    path = tmp_path / "new" / "compare.json"
    claim_folder(path, IDENTITY)
    (path.parent / "runs.jsonl").write_text("")
    claim_folder(path, {"protocol": "strict", "settings of lightgcn": {"num_layers": 2}})
    assert read_record(path) == IDENTITY | {"settings of lightgcn": {"num_layers": 2}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "mmrec"}, "protocol 'strict' and 'mmrec'"),
        ({"settings of bpr": {"lr": 0.2, "epochs": 3}}, "settings of bpr.lr 0.1 and 0.2"),
        ({"settings of bpr": {"lr": 0.1}}, "settings of bpr.epochs 3 and None"),
    ],
)
def test_a_folder_of_other_runs_is_refused_and_left_as_it_is(tmp_path, change, words):
    path = tmp_path / "compare.json"
    claim_folder(path, IDENTITY)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "bpr-1.json").write_text("")
    with pytest.raises(ValueError, match="holds other runs") as error:
        claim_folder(path, IDENTITY | change)
    assert str(error.value).endswith(f"(got, there and now: {words})")
    assert read_record(path) == IDENTITY


def test_a_folder_without_runs_is_free(tmp_path):
    path = tmp_path / "compare.json"
    claim_folder(path, IDENTITY)
    (tmp_path / "runs").mkdir()
    (tmp_path / ".part").write_text("")
    with hold_folder(tmp_path):
        claim_folder(path, {"protocol": "mmrec"})
    assert read_record(path) == {"protocol": "mmrec"}


def test_a_damaged_note_is_refused(tmp_path):
    path = tmp_path / "compare.json"
    claim_folder(path, IDENTITY)
    (tmp_path / "runs.jsonl").write_text("")
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(DamagedFileError, match="compare.json' is damaged.*; remove it"):
        claim_folder(path, IDENTITY)


def test_the_fingerprint_is_the_same_for_the_same_graph_alone(checkerboard):
    first = fingerprint(checkerboard)
    assert fingerprint(copy.deepcopy(checkerboard)) == first
    changes = {
        "edge": lambda data: data["user", "interacts", "item"].edge_index[:, 0].add_(1),
        "split": lambda data: data["user", "interacts", "item"].val_edge_label_index[1].add_(1),
        "feature": lambda data: data["item"].x_visual[3, 4].add_(1),
        "mask": lambda data: data["item"].visual_mask[0].fill_(False),
        "size": lambda data: setattr(data["user"], "num_nodes", 25),
    }
    others = set()
    for change in changes.values():
        data = copy.deepcopy(checkerboard)
        with torch.no_grad():
            change(data)
        others.add(fingerprint(data))
    assert len(others - {first}) == len(changes)
