import copy

import numpy as np
import pytest
import torch

from crane_pyg.nn import CosineContrastive, HistoryFit, SampledSoftmax
from crane_pyg.nn.history_fit import MOST_COMPARED, RATE, compared_items, temperature_of
from crane_pyg.nn.models import CRANE
from crane_pyg.nn.objectives import BPRLoss
from crane_pyg.ops import csr_graph
from crane_pyg.serving.history_fit import HistoryFit as ServedFit
from crane_pyg.training import evaluate, fit, load_model, save_model

HISTORIES = [[3], [0, 5, 7], [39, 1], list(range(20))]


def graph_of(histories, num_items=40):
    item = torch.tensor([i for history in histories for i in history])
    user = torch.arange(len(histories)).repeat_interleave(
        torch.tensor([len(history) for history in histories])
    )
    return csr_graph(torch.stack([item, user]), size=(num_items, len(histories))).unweighted()


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_each_user_is_fitted_as_serving_fits_one(similarity, steps):
    start, item = torch.randn(4, 6), torch.randn(40, 6)
    module = HistoryFit(SampledSoftmax(similarity=similarity, temperature=0.5))
    module.steps.fill_(steps)
    found = module(start, item, graph_of(HISTORIES))
    on_sphere = similarity == "cosine"
    length = start.norm(dim=1, keepdim=True) if on_sphere else torch.ones(4, 1)
    rows = (item / item.norm(dim=1, keepdim=True) if on_sphere else item).numpy()
    served = ServedFit(rows, 0.5, RATE, steps, on_sphere)
    for user, history in enumerate(HISTORIES):
        vector = served((start / length)[user].numpy(), rows[history]).vector
        np.testing.assert_allclose((found / length)[user], vector, rtol=1e-4, atol=1e-5)


def test_large_catalogues_are_sampled_and_always_alike():
    assert compared_items(7).tolist() == list(range(7))
    items = compared_items(10_000)
    assert items.unique().numel() == MOST_COMPARED
    assert torch.equal(items, compared_items(10_000))


def test_a_loss_that_is_no_softmax_has_one_that_stands_for_it():
    assert temperature_of(SampledSoftmax(temperature=0.7)) == 0.7
    assert temperature_of(SampledSoftmax()) == temperature_of(CosineContrastive()) == 0.2
    assert temperature_of(BPRLoss()) == temperature_of(None) == 1


def test_calibrate_keeps_what_validation_likes_best():
    module, best = HistoryFit(SampledSoftmax()), HistoryFit.TRIED[0]

    def scorer():
        return int(module.steps)

    reached = module.calibrate(scorer, lambda found: [float(steps == best) for steps in found])
    assert reached == (1, best)
    assert module.steps == best
    assert module.calibrate(scorer, lambda found: [0.5 for _ in found]) == (0.5, 0)
    assert module.steps == 0  # of equals the one that changes nothing


@pytest.mark.parametrize("settings", [{}, {"ranking_similarity": "inner"}, {"fusion": None}])
def test_crane_fits_those_who_took_something_and_only_in_evaluation(checkerboard, settings):
    store = checkerboard["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, store.edge_index[0] != 5]
    model = CRANE.from_data(checkerboard, embedding_dim=8, **{"k": 3} | settings).eval()
    before, items = model(checkerboard)
    model.history_fit.steps.fill_(4)
    after, same = model(checkerboard)
    assert torch.equal(items, same)
    assert torch.equal(before[5], after[5])
    changed = (before != after).any(1)
    assert changed.sum() == changed.numel() - 1
    model.train()
    again, _ = model(checkerboard)
    assert torch.equal(again, before)
    assert again.requires_grad


def test_a_fitted_model_is_saved_as_it_scores(checkerboard, tmp_path, monkeypatch):
    def calibrate(self, scorer, _):
        return float(self.steps.fill_(8)), scorer()

    monkeypatch.setattr(HistoryFit, "calibrate", calibrate)
    model = CRANE.from_data(checkerboard, embedding_dim=8, k=3)
    fit(model, checkerboard, epochs=2, batch_size=64, progress=False)
    assert model.history_fit.steps == 8
    save_model(model, "crane", {"embedding_dim": 8, "k": 3}, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", checkerboard)
    assert evaluate(again, checkerboard, "test") == evaluate(model, checkerboard, "test")
    assert copy.deepcopy(again).history_fit.steps == 8


def test_without_a_closed_form_users_stay_as_trained(checkerboard):
    model = CRANE.from_data(checkerboard, embedding_dim=8, k=3, act="relu")
    fit(model, checkerboard, epochs=2, batch_size=64, progress=False)
    assert model.fold_in(checkerboard) is None
    assert model.history_fit.steps == 0
