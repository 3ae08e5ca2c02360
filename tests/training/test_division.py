"""One rank is the oracle: several come to the same losses, weights and lists."""

import copy

import pytest
import torch

from crane_pyg import ranks
from crane_pyg.nn.models import BM3, EASE, MODELS
from crane_pyg.training import evaluate, evaluate_by_degree, fit, load_model, recommend, save_model
from tests.conftest import build_checkerboard
from tests.together import run_together
from tests.training.short_runs import SHORT

CLOSE = {"rtol": 0, "atol": 1e-5}
ALL_OF_CRANE = {  # what the default leaves out
    **{"k": 3, "num_rounds": 2, "conv_weight": True, "act": "tanh", "readout": "last"},
    **{"drop_edge": "bernoulli", "refresh": "step", "semantic_profile": "attention"},
    **{"ranking": "bpr", "beta": 0.1, "l2": 1e-3, "l2_of": "all", "residual": None},
}
CASES = {
    "bpr": ("bpr", {}),
    "lightgcn": ("lightgcn", {}),
    "lightgcn by cosine": ("lightgcn", {"ranking": "softmax"}),
    "simplex": ("simplex", {}),
    "ultragcn": ("ultragcn", {}),
    "vbpr": ("vbpr", {}),
    "freedom": ("freedom", {}),
    "lattice": ("lattice", {}),
    "bm3": ("bm3", {}),
    "mgcn": ("mgcn", {}),
    "smore": ("smore", {"dropout": 0.2}),
    "crane": ("crane", {"k": 3}),
    "crane, all of it": ("crane", ALL_OF_CRANE),
    "crane apart": (
        "crane",
        {"k": 3, "dual_fusion": False, "residual": None, "semantic_profile": "sqrt"},
    ),
    "crane of interactions": ("crane", {"fusion": None, "residual": None}),
}


def train(folder, data, cases, epochs=1, checkpoint=None):
    for case in cases:
        name, settings = CASES[case]
        settings = {"embedding_dim": 8, **settings}
        torch.manual_seed(0)
        model = MODELS[name].from_settings(data, **settings)
        result = fit(
            model, data, **SHORT | {"epochs": epochs, "batch_size": 128}, checkpoint=checkpoint
        )
        found = {
            "losses": torch.tensor([row["loss"] for row in result.history], dtype=torch.float64),
            "scores": evaluate(model, data, "test"),
            "by_degree": evaluate_by_degree(model, data, "test", bins=2),
            "items": recommend(model, data, torch.tensor([3, 9, 3, 1]), k=20, batch_size=2).item,
            "table": model.item_embedding.weight.untyped_storage().nbytes(),
        }
        save_model(model, name, settings, folder / f"{case}.safetensors")
        if ranks.is_first():
            torch.save(found, folder / f"{case}.pt")


def assert_same(here, there, data, case, shares=1):
    found, wanted = (torch.load(folder / f"{case}.pt") for folder in (here, there))
    torch.testing.assert_close(found["losses"], wanted["losses"], **CLOSE)
    assert found["items"].equal(wanted["items"])
    assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)
    assert found["by_degree"] == wanted["by_degree"]
    assert found["table"] * shares == wanted["table"]
    found, wanted = (load_model(folder / f"{case}.safetensors", data) for folder in (here, there))
    pairs = zip(found.state_dict().items(), wanted.state_dict().items(), strict=True)
    for (name, a), (_, b) in pairs:
        torch.testing.assert_close(a, b, **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """All cases on one rank and on two."""
    data, one, two = build_checkerboard(), *(tmp_path_factory.mktemp(x) for x in ("one", "two"))
    train(one, data, CASES)
    assert run_together(2, train, two, data, CASES) == [0, 0]
    return one, two


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_come_to_what_one_does(checkerboard, trained, case):
    one, two = trained
    assert_same(two, one, checkerboard, case, shares=2)


def test_a_run_goes_on_with_more_ranks_or_fewer(checkerboard, tmp_path):
    folders = [tmp_path / name for name in ("whole", "more", "fewer")]
    whole, more, fewer = folders
    for folder in folders:
        folder.mkdir()
    train(whole, checkerboard, ["crane"], epochs=2)
    train(more, checkerboard, ["crane"], epochs=1, checkpoint=more / "checkpoint.pt")
    last = (more, checkerboard, ["crane"], 2, more / "checkpoint.pt")
    assert run_together(2, train, *last) == [0, 0]
    assert_same(more, whole, checkerboard, "crane", shares=2)
    first = (fewer, checkerboard, ["crane"], 1, fewer / "checkpoint.pt")
    assert run_together(2, train, *first) == [0, 0]
    train(fewer, checkerboard, ["crane"], epochs=2, checkpoint=fewer / "checkpoint.pt")
    assert_same(fewer, whole, checkerboard, "crane")


def test_what_ranks_cannot_divide_is_refused(checkerboard):
    def refuse():
        with pytest.raises(ValueError, match="EASE trains on one rank only"):
            fit(EASE.from_data(checkerboard), checkerboard)
        with pytest.raises(ValueError, match=r"multiple of the number .* 9 columns and 2 r"):
            fit(BM3.from_data(checkerboard, embedding_dim=9), checkerboard)

    assert run_together(2, refuse) == [0, 0]


def test_ranks_with_other_data_are_found_out(checkerboard, tmp_path):
    def differ():
        data = copy.copy(checkerboard)
        data["item"].x_visual = data["item"].x_visual + torch.distributed.get_rank()
        model = MODELS["bpr"].from_data(data)
        with pytest.raises(ValueError, match=r"same data and settings \(got others on ranks \[1\]"):
            fit(model, data, checkpoint=tmp_path / "checkpoint.pt", progress=False)

    assert run_together(2, differ) == [0, 0]


def test_ranks_recommend_what_one_does_by_any_model(checkerboard, tmp_path):
    model = EASE.from_data(checkerboard)
    fit(model, checkerboard, progress=False)
    wanted = recommend(model, checkerboard, k=5, batch_size=3)

    def check():
        found = recommend(model, checkerboard, k=5, batch_size=3)
        assert found.item.equal(wanted.item)
        torch.testing.assert_close(found.score, wanted.score)

    assert run_together(3, check) == [0, 0, 0]
