import pytest
import torch

from crane_pyg.nn.models import CRANE, LightGCN
from crane_pyg.training import fit
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


def test_a_checkpoint_of_another_run_is_refused(checkerboard, tmp_path):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)
    with pytest.raises(ValueError, match=r"other settings.*'lr': \(0.01, 0.02\)"):
        fit(
            build(checkerboard, LightGCN),
            checkerboard,
            **SHORT | {"lr": 0.02},
            checkpoint=path,
        )
    with pytest.raises(ValueError, match="belongs to another model"):
        fit(build(checkerboard, CRANE), checkerboard, **SHORT, checkpoint=path)


def test_a_write_that_fails_leaves_the_old_checkpoint(checkerboard, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT, checkpoint=path)
    before = path.read_bytes()

    def disk_full(state, aside):
        aside.write_bytes(b"half")
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
