import copy
import json

import pytest
import torch

from crane_pyg.experiments.folder import claim_folder, fingerprint

IDENTITY = {"protocol": "strict", "settings of bpr": {"lr": 0.1, "epochs": 3}}


def test_a_folder_takes_more_runs_of_the_same_kind(tmp_path):
    path = tmp_path / "new" / "compare.json"
    claim_folder(path, IDENTITY)
    claim_folder(path, {"protocol": "strict", "settings of lightgcn": {"num_layers": 2}})
    assert json.loads(path.read_text()) == IDENTITY | {"settings of lightgcn": {"num_layers": 2}}


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
    with pytest.raises(ValueError, match="holds other runs") as error:
        claim_folder(path, IDENTITY | change)
    assert str(error.value).endswith(f"(got, there and now: {words})")
    assert json.loads(path.read_text()) == IDENTITY


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
