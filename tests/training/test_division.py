"""One rank is the oracle: several come to the same losses, weights and lists."""

import copy
from functools import partial

import pytest
import torch

from crane_pyg import ranks
from crane_pyg.datasets import load_dataset
from crane_pyg.nn.models import BM3, EASE, MODELS
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import evaluate, evaluate_by_degree, fit, load_model, recommend, save_model
from crane_pyg.training.division import divide
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
    "simplex": ("simplex", {}),
    "ultragcn": ("ultragcn", {}),
    "vbpr": ("vbpr", {}),
    "freedom": ("freedom", {}),
    "lattice": ("lattice", {}),
    "bm3": ("bm3", {}),
    "mgcn": ("mgcn", {}),
    "smore": ("smore", {"dropout": 0.2}),
    "crane": ("crane", {"k": 3, "residual": None}),
    "crane, users too": ("crane", {"k": 3, "residual": None, "semantic_profile": "sqrt"}),
    "crane, default": ("crane", {"k": 3}),
    "crane, all of it": ("crane", ALL_OF_CRANE),
    "crane, apart": (
        "crane",
        {"k": 3, "dual_fusion": False, "residual": None, "semantic_profile": "sqrt"},
    ),
    "crane, of interactions": ("crane", {"fusion": None, "residual": None}),
}


def build(data, case):
    name, settings = CASES[case]
    torch.manual_seed(0)
    model = MODELS[name].from_settings(data, embedding_dim=8, **settings)
    if case == "crane, default":
        model.history_fit.steps.fill_(3)  # as if validation had chosen so
    return model


def take_step(model, data):
    """Every loss, every gradient, and then the scores of some users."""
    torch.manual_seed(1)
    user, pos = data[USER_TO_ITEM].edge_index[:, ::7]
    neg = torch.randint(data["item"].num_nodes, pos.shape)
    model.train()
    model.start_epoch(data)
    terms = model.loss(data, user, pos, neg)
    torch.stack([*terms.values()]).sum().backward()
    gradients = {name: x.grad for name, x in model.named_parameters() if x.grad is not None}
    with torch.no_grad():
        scores = model.eval().scorer(data)(torch.tensor([5, 0, 8, 7, 1, 2])[ranks.share(6)])
    return terms, gradients, ranks.gather_shares(scores, 6)


def check_steps(data, wanted):
    for case, (terms, gradients, scores) in wanted.items():
        model = build(data, case)
        divide(model)
        found = take_step(model, data)
        tables = {f"{name}.weight" for name in model.tables}
        own = {
            name: x[:, ranks.share(x.size(1))] if name in tables else x
            for name, x in gradients.items()
        }
        say = partial(lambda text, case: f"{case}: {text}", case=case)
        torch.testing.assert_close(found, (terms, own, scores), **CLOSE, msg=say)


def test_a_step_of_every_model_is_that_of_one_rank(checkerboard):
    assert {CASES[case][0] for case in CASES} == {x for x, model in MODELS.items() if model.tables}
    steps = {case: take_step(build(checkerboard, case), checkerboard) for case in CASES}
    wanted = {
        case: ({name: x.detach() for name, x in terms.items()}, gradients, scores)
        for case, (terms, gradients, scores) in steps.items()
    }
    assert run_together(2, check_steps, checkerboard, wanted) == [0, 0]


def train(folder, data, case, epochs, checkpoint=None):
    model = build(data, case)
    own = {"epochs": epochs, "batch_size": 128, "checkpoint": checkpoint}
    result = fit(model, data, **SHORT | own)
    found = {
        "losses": torch.tensor([row["loss"] for row in result.history], dtype=torch.float64),
        "scores": evaluate(model, data, "test"),
        "by_degree": evaluate_by_degree(model, data, "test", bins=2),
        "items": recommend(model, data, torch.tensor([3, 9, 3, 1]), k=20, batch_size=2).item,
        "table": model.item_embedding.weight.untyped_storage().nbytes(),
    }
    name, settings = CASES[case]
    save_model(model, name, {"embedding_dim": 8, **settings}, folder / "model.safetensors")
    if ranks.is_first():
        torch.save(found, folder / "found.pt")


def assert_same(here, there, data, shares=1):
    found, wanted = (torch.load(folder / "found.pt") for folder in (here, there))
    torch.testing.assert_close(found["losses"], wanted["losses"], **CLOSE)
    assert found["items"].equal(wanted["items"])
    assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)
    assert found["by_degree"] == wanted["by_degree"]
    assert found["table"] * shares == wanted["table"]
    found, wanted = (load_model(folder / "model.safetensors", data) for folder in (here, there))
    pairs = zip(found.state_dict().items(), wanted.state_dict().items(), strict=True)
    for (name, a), (_, b) in pairs:
        torch.testing.assert_close(a, b, **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("case", ["lightgcn", "crane"])
def test_a_run_of_two_ranks_goes_on_with_one_and_back(checkerboard, tmp_path, case):
    whole, two = tmp_path / "whole", tmp_path / "two"
    whole.mkdir()
    two.mkdir()
    train(whole, checkerboard, case, 3)
    path = two / "checkpoint.pt"
    assert run_together(2, train, two, checkerboard, case, 1, path) == [0, 0]
    train(two, checkerboard, case, 2, path)
    assert run_together(2, train, two, checkerboard, case, 3, path) == [0, 0]
    assert_same(two, whole, checkerboard, shares=2)


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


@pytest.mark.slow
@pytest.mark.parametrize("case", ["lightgcn", "crane, default"])
def test_four_ranks_come_to_what_one_does_in_a_hundred_steps(tmp_path, case):
    data = load_dataset("tiny")[0]
    one, four, back = folders = [tmp_path / name for name in ("one", "four", "back")]
    for folder in folders:
        folder.mkdir()
    steps = -(-data[USER_TO_ITEM].edge_index.size(1) // 128)
    epochs = -(-100 // steps)
    train(one, data, case, epochs)
    assert run_together(4, train, four, data, case, epochs) == [0] * 4
    assert_same(four, one, data, shares=4)

    # From four ranks to one, and from one to four.
    path = back / "checkpoint.pt"
    assert run_together(4, train, back, data, case, 1, path) == [0] * 4
    train(back, data, case, 2, path)
    assert run_together(4, train, back, data, case, epochs, path) == [0] * 4
    assert_same(back, one, data, shares=4)
