import copy

import pytest
import torch

from crane_pyg.nn.models import BPR, CRANE, MODELS, LightGCN
from crane_pyg.seals import DamagedFileError
from crane_pyg.training import fit
from crane_pyg.training.identity import RESULTS, VERSIONS, describe_model
from tests.training.short_runs import SHORT, assert_same_state, build


@pytest.mark.parametrize("refresh", ["epoch", "step", 3])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(checkerboard, tmp_path, refresh):
    settings = SHORT | {"patience": 50}
    whole = build(checkerboard, refresh=refresh)
    result = fit(whole, checkerboard, **settings)

    path = tmp_path / "run" / "checkpoint.pt"
    killed = build(checkerboard, refresh=refresh)
    fit(killed, checkerboard, **settings | {"epochs": 2}, checkpoint=path)
    torch.manual_seed(99)
    resumed = CRANE.from_data(
        checkerboard, embedding_dim=8, k=3, drop_edge="bernoulli", refresh=refresh
    )
    again = fit(resumed, checkerboard, **settings, checkpoint=path)
    assert_same_state(whole, resumed)
    assert again.best_epoch == result.best_epoch
    assert (
        again.to_frame().drop(columns="seconds").equals(result.to_frame().drop(columns="seconds"))
    )


def test_a_finished_run_is_not_trained_again(checkerboard, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    first = build(checkerboard, LightGCN)
    fit(first, checkerboard, **SHORT, checkpoint=path)
    monkeypatch.setattr(LightGCN, "loss", None)
    second = build(checkerboard, LightGCN)
    assert fit(second, checkerboard, **SHORT, checkpoint=path).epochs == 5
    assert_same_state(first, second)


@pytest.mark.parametrize(
    ("name", "setting", "other"),
    [
        ("ease", {"l2": 100.0}, "model.weights.l2 '100.0' and '300.0'"),
        ("ease-local", {"l2": 100.0}, "model.weights.l2 '100.0' and"),
        ("itemknn", {"k": 3}, "model.weights.k '3' and '50'"),
        ("ials", {"l2": 0.5}, "model.l2 '0.5' and"),
    ],
)
def test_a_solved_model_goes_on_with_its_own_settings_alone(
    checkerboard, tmp_path, name, setting, other
):
    path = tmp_path / "checkpoint.pt"
    whole = MODELS[name].from_data(checkerboard, **setting)
    killed, resumed = copy.deepcopy(whole), copy.deepcopy(whole)
    result = fit(whole, checkerboard, epochs=3, progress=False)
    fit(killed, checkerboard, epochs=1, checkpoint=path, progress=False)
    again = fit(resumed, checkerboard, epochs=3, checkpoint=path, progress=False)
    assert_same_state(whole, resumed)
    assert (again.epochs, again.best_score) == (result.epochs, result.best_score)
    with pytest.raises(ValueError, match=other):
        fit(MODELS[name].from_data(checkerboard), checkerboard, checkpoint=path, progress=False)


def test_a_checkpoint_of_another_run_is_refused(checkerboard, tmp_path):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another run.*now: lr 0.01 and 0.02\)"):
        fit(
            build(checkerboard, LightGCN),
            checkerboard,
            **SHORT | {"lr": 0.02},
            checkpoint=path,
        )
    with pytest.raises(ValueError, match=r"now: .*model.class 'LightGCN' and 'CRANE'"):
        fit(build(checkerboard, CRANE), checkerboard, **SHORT, checkpoint=path)
    with pytest.raises(ValueError, match=r"model.num_layers '2' and '1'"):
        fit(build(checkerboard, LightGCN, num_layers=1), checkerboard, **SHORT, checkpoint=path)
    checkerboard["item"].x_visual[0, 0] += 1
    with pytest.raises(ValueError, match="now: data '"):
        fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_training_does_not_change_what_a_model_is(checkerboard, name):
    taken = MODELS[name].settings()
    tried = (("embedding_dim", 8, 16), ("k", 2, 3), ("l2", 1.0, 2.0))
    small, large = next((({k: a}, {k: b}) for k, a, b in tried if k in taken), ({}, {}))
    model = MODELS[name].from_settings(checkerboard, **small)
    before = describe_model(model)
    fit(model, checkerboard, epochs=1, batch_size=64, progress=False)
    assert describe_model(model) == before
    assert before["class"] == MODELS[name].__name__
    other = MODELS[name].from_settings(checkerboard, **large)
    assert (describe_model(other) != before) == bool(taken)


def test_a_weight_of_the_loss_is_part_of_the_run(checkerboard, tmp_path):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN, l2=0.0), checkerboard, **SHORT, checkpoint=path)
    with pytest.raises(ValueError, match=r"model.objective .*weight=0.0.*weight=1.0"):
        fit(build(checkerboard, LightGCN, l2=1.0), checkerboard, **SHORT, checkpoint=path)


def test_another_version_goes_on_with_no_run(checkerboard, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)
    monkeypatch.setitem(VERSIONS, "results", 0)
    with pytest.raises(ValueError, match=rf"versions.results {RESULTS} and 0"):
        fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)


def test_a_shorter_training_is_refused_where_its_result_is_another(checkerboard, tmp_path):
    path = tmp_path / "checkpoint.pt"
    own = SHORT | {"lr": 1e-3, "monitor": "NDCG@20"}
    first = fit(build(checkerboard, LightGCN), checkerboard, **own, checkpoint=path)
    assert first.best_epoch > 1
    own |= {"epochs": first.best_epoch - 1}
    with pytest.raises(ValueError, match="holds 5 epochs of another length of training"):
        fit(build(checkerboard, LightGCN), checkerboard, **own, checkpoint=path)


def test_every_flipped_bit_and_every_cut_is_found(checkerboard, tmp_path):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, BPR), checkerboard, **SHORT | {"epochs": 1}, checkpoint=path)
    whole = path.read_bytes()
    assert torch.load(path, weights_only=True)["identity"]["lr"] == SHORT["lr"]
    places = [*range(0, len(whole), len(whole) // 20), *range(len(whole) - 16, len(whole))]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        for content in (flipped, whole[:place]):
            path.unlink()
            path.write_bytes(content)
            with pytest.raises(DamagedFileError, match="checkpoint.pt' is damaged.*; remove it"):
                fit(build(checkerboard, BPR), checkerboard, **SHORT, checkpoint=path)


def test_a_write_that_fails_leaves_the_old_checkpoint(checkerboard, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)
    before = path.read_bytes()

    def disk_full(state, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="disk full"):
        fit(
            build(checkerboard, LightGCN),
            checkerboard,
            **SHORT | {"epochs": 9, "patience": 9},
            checkpoint=path,
        )
    assert path.read_bytes() == before
