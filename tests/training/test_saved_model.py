import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save, save_file

from crane_pyg.nn import LearnedItemGraph
from crane_pyg.nn.models import MODELS
from crane_pyg.seals import BLANK, DamagedFileError, write_sealed
from crane_pyg.training import evaluate, fit, load_model, recommend, save_model


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_saved_model_scores_as_before(checkerboard, tmp_path, name):
    settings = {"embedding_dim": 8} if "embedding_dim" in MODELS[name].settings() else {}
    model = MODELS[name].from_data(checkerboard, **settings)
    fit(model, checkerboard, epochs=2, batch_size=64, progress=False)
    path = tmp_path / "new" / "model.safetensors"
    save_model(model, name, settings, path)

    torch.manual_seed(1)
    loaded = load_model(path, checkerboard)
    assert repr(loaded) == repr(model)
    user = torch.arange(24)
    with torch.no_grad():
        assert torch.equal(model.scorer(checkerboard)(user), loaded.scorer(checkerboard)(user))
    assert evaluate(loaded, checkerboard, "test") == evaluate(model, checkerboard, "test")
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("ranking", ["softmax", "ccl"])
@pytest.mark.parametrize("name", sorted(name for name in MODELS if MODELS[name].takes_ranking))
def test_a_loaded_model_scores_by_its_ranking_loss(checkerboard, tmp_path, name, ranking):
    settings = {"embedding_dim": 8, "ranking": ranking}
    model = MODELS[name].from_settings(checkerboard, **settings).eval()
    save_model(model, name, settings, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert loaded.objective.ranking == model.objective.ranking
    top = recommend(loaded, checkerboard, k=40, exclude="none")
    assert torch.equal(top.score, recommend(model, checkerboard, k=40, exclude="none").score)
    user, item = model(checkerboard)
    cosines = F.cosine_similarity(user.unsqueeze(1), item, dim=-1)
    torch.testing.assert_close(top.score, cosines.gather(1, top.item))
    assert evaluate(loaded, checkerboard) == evaluate(model, checkerboard)


def test_loading_searches_for_no_start_that_the_file_replaces(checkerboard, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    model = MODELS["crane"].from_data(checkerboard, k=4)
    save_model(model, "crane", {"k": 4, "warm_start": True}, path)
    monkeypatch.setattr(LearnedItemGraph, "warm_start", lambda *args: pytest.fail("searched"))
    loaded = load_model(path, checkerboard)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_saved_model_is_for_whoever_may_read_the_folder(checkerboard, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    save_model(MODELS["bpr"].from_data(checkerboard), "bpr", {}, tmp_path / "model")
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_files_that_are_not_ours(checkerboard, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(DamagedFileError, match="model.safetensors' .*not of this version"):
        load_model(path, checkerboard)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(DamagedFileError, match="lacks a checksum"):
        load_model(path, checkerboard)
    write_sealed(path, save({"x": torch.zeros(1)}, {"checksum": BLANK}))
    with pytest.raises(ValueError, match="the model of .* must be one of .*got None"):
        load_model(path, checkerboard)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ("[" * 100_000, "the settings of .*nested too deeply"),
        ("", "the settings of .* must be JSON"),
        ('{"kk": 1}', "has settings that its model does not take"),
    ],
)
def test_settings_that_somebody_made_up(checkerboard, tmp_path, settings, match):
    metadata = {"model": "bpr", "settings": settings, "checksum": BLANK}
    write_sealed(tmp_path / "model", save({"x": torch.zeros(1)}, metadata))
    with pytest.raises(ValueError, match=match):
        load_model(tmp_path / "model", checkerboard)


def test_every_flipped_bit_is_found_and_others_can_read_the_file(checkerboard, tmp_path):
    path = tmp_path / "model.safetensors"
    model = MODELS["bpr"].from_data(checkerboard, embedding_dim=2)
    save_model(model, "bpr", {"embedding_dim": 2}, path)
    theirs = load_file(path)
    assert all(torch.equal(theirs[name], value) for name, value in model.state_dict().items())
    whole = path.read_bytes()
    for place in range(0, len(whole), 11):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.unlink()
        path.write_bytes(flipped)
        with pytest.raises(DamagedFileError, match="model.safetensors' is damaged"):
            load_model(path, checkerboard)


def test_the_parts_of_another_version(checkerboard, tmp_path):
    path = tmp_path / "model.safetensors"
    model = MODELS["lightgcn"].from_data(checkerboard)
    model.register_buffer("once", torch.zeros(2))
    save_model(model, "lightgcn", {}, path)
    with pytest.raises(ValueError, match="LightGCN has in this version: train it anew .*once"):
        load_model(path, checkerboard)


@pytest.mark.parametrize(
    ("name", "node"), [("lightgcn", "user"), ("ease", "item"), ("ease-local", "item")]
)
def test_other_data(checkerboard, tmp_path, name, node):
    path = tmp_path / "model.safetensors"
    model = MODELS[name].from_data(checkerboard)
    fit(model, checkerboard, epochs=1, progress=False)
    save_model(model, name, {}, path)
    checkerboard[node].num_nodes += 1
    with pytest.raises(ValueError, match="was trained on other data"):
        load_model(path, checkerboard)
