"""What CRANE leaves to the data, and what it starts from."""

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.models import crane_choices
from crane_pyg.training import load_model, save_model
from tests.nn.models.small_crane import build


@pytest.mark.parametrize("chosen", ["multinomial", None])
def test_whether_edges_are_dropped_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    monkeypatch.setattr(crane_choices, "choose_thinning", lambda data: chosen)
    model = build(checkerboard)
    assert (model.encoder.thinning and model.encoder.thinning.mode) == chosen
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.delattr(crane_choices, "choose_thinning")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert repr(loaded.encoder) == repr(model.encoder)


@pytest.mark.parametrize("chosen", ["cosine", "inner"])
def test_what_it_compares_by_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    ranks = []

    def choose_similarity(data, rank, start):
        ranks.append((rank, start.size(1)))
        return chosen

    monkeypatch.setattr(crane_choices, "choose_similarity", choose_similarity)
    model = build(checkerboard)
    assert ranks == [(6, 6)]  # all of the vectors that embeddings start from
    assert model.objective.ranking.similarity == chosen
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.undo()
    monkeypatch.delattr(crane_choices, "choose_similarity")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert loaded.objective == model.objective
    bpr = build(checkerboard, ranking="bpr")  # has nothing to choose
    assert bpr.objective.ranking.similarity == "inner"
    assert "ranking_similarity" not in bpr.resolved


@pytest.mark.parametrize("chosen", [0.1, 0.2])
def test_the_temperature_of_cosines_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    asked = []

    def choose_temperature(data, rank, vectors):
        asked.append([x.size(1) for x in vectors])
        return chosen

    monkeypatch.setattr(crane_choices, "choose_temperature", choose_temperature)
    monkeypatch.setattr(crane_choices, "choose_similarity", lambda *_, **__: "cosine")
    model = build(checkerboard)
    assert asked == [[6, 6]]  # the vectors that embeddings start from
    assert model.objective.ranking.temperature == chosen
    assert model.history_fit.temperature == chosen
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.undo()
    monkeypatch.delattr(crane_choices, "choose_temperature")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert loaded.objective == model.objective
    assert loaded.history_fit.temperature == chosen


@pytest.mark.parametrize(
    ("given", "temperature"),
    [
        ({"ranking_similarity": "inner"}, 1.0),
        ({"ranking_similarity": "cosine", "ranking_temperature": 0.15}, 0.15),
    ],
)
def test_a_temperature_that_is_given_or_of_lengths_is_not_asked_of_the_data(
    checkerboard, monkeypatch, given, temperature
):
    monkeypatch.delattr(crane_choices, "choose_temperature")
    model = build(checkerboard, **given)
    assert model.objective.ranking.temperature == temperature
    assert "ranking_temperature" not in model.resolved


@pytest.mark.parametrize("chosen", [True, False])
def test_whether_content_adds_to_embeddings_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    monkeypatch.setattr(crane_choices, "choose_content", lambda *_: chosen)
    model = build(checkerboard)
    assert (model.content_term is not None) == model.resolved["content_term"] == chosen
    if chosen:
        model.content_term.weight.data.normal_()
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.undo()
    monkeypatch.delattr(crane_choices, "choose_content")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    for found, wanted in zip(loaded(checkerboard), model.eval()(checkerboard), strict=True):
        torch.testing.assert_close(found, wanted)


def test_without_an_item_graph_content_adds_nothing(checkerboard):
    model = build(checkerboard, fusion=None)
    assert model.content_term is None
    assert model.resolved["content_term"] is False


def test_content_of_the_modalities_that_are_used(checkerboard):
    model = build(checkerboard, content_term=True, only_modalities=["visual"])
    assert [*model.content_term.basis] == ["visual"]


@pytest.mark.parametrize("spectral_start", [True, False])
def test_embeddings_start_from_the_interactions(checkerboard, spectral_start):
    """Items of the checkerboard's two kinds then lie apart before any training."""
    model = build(checkerboard, spectral_start=spectral_start)
    item = F.normalize(model.item_embedding.weight.detach(), dim=1)
    cosine = item @ item.T
    same = torch.arange(40).view(-1, 1) % 2 == torch.arange(40) % 2
    apart = bool(cosine[same].mean() > cosine[~same].mean() + 0.3)
    assert apart == spectral_start
