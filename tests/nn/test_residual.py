import math

import pytest
import torch

from crane_pyg.nn import Residual, content_rows
from crane_pyg.nn.linear import EASE, LocalEASE
from crane_pyg.schema import USER_TO_ITEM


@pytest.fixture(params=[EASE, LocalEASE])
def residual(request):
    return Residual(request.param(40))


def own(user):
    return torch.randn(24, 40, generator=torch.Generator().manual_seed(0))[user]


def hits(data):
    """A quality: what share of the five best is of the user's kind."""

    def quality(scorers):
        user, found = torch.arange(24), []
        for score_of in scorers:
            score = score_of(user)
            score[tuple(data[USER_TO_ITEM].edge_index)] = -torch.inf
            right = score.topk(2).indices % 2 == user.view(-1, 1) % 2
            found.append(float(right.float().mean()))
        return found

    return quality


def test_it_says_nothing_before_it_is_calibrated(residual, checkerboard):
    assert residual(checkerboard, own) is own
    assert "share=0" in repr(residual)


def test_scores_are_the_mix_of_standardised_ones(residual, checkerboard):
    data = checkerboard.clone()
    edge_index = data[USER_TO_ITEM].edge_index
    data[USER_TO_ITEM].edge_index = edge_index[:, 15:]  # of the first user's 18 three stay
    residual.linear.solve(data)
    residual.share.fill_(0.3)
    user = torch.tensor([3, 0, 3])
    share = 0.3 * torch.tensor([[18 / 26], [3 / 11], [18 / 26]])
    parts = own(user), residual.linear(data, user)
    mixed = [(x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0) for x in parts]
    expected = (1 - share) * mixed[0] + share * mixed[1]
    torch.testing.assert_close(residual(data, own)(user), expected)


def test_users_without_history_keep_their_own_order(residual, checkerboard):
    data = checkerboard.clone()
    edge_index = data[USER_TO_ITEM].edge_index
    data[USER_TO_ITEM].edge_index = edge_index[:, edge_index[0] != 5]
    residual.linear.solve(data)
    residual.share.fill_(0.5)
    user = torch.tensor([5])
    score = residual(data, own)(user)
    assert torch.equal(score.argsort(), own(user).argsort())


def test_calibration_finds_what_helps(residual, checkerboard):
    quality = hits(checkerboard)
    (alone,) = quality([own])
    reached = residual.calibrate(checkerboard, own, quality)
    assert [reached] == quality([residual(checkerboard, own)]) > [alone]
    assert residual.share > 0
    again = residual.calibrate(checkerboard, own, quality)  # starts anew, whatever it was
    assert again == reached


def test_what_does_harm_is_left_out(residual, checkerboard):
    def quality(scorers):
        return [1.0 if score_of is own else 0.5 for score_of in scorers]

    assert residual.calibrate(checkerboard, own, quality) == 1.0
    assert residual(checkerboard, own) is own
    assert not residual.linear.solved


@pytest.mark.parametrize(
    ("best", "order"),
    [
        (10.0, [50.0, 200.0, 10.0]),
        (50.0, [50.0, 200.0, 10.0]),
        (200.0, [50.0, 200.0, 800.0]),
        (800.0, [50.0, 200.0, 800.0]),
    ],
)
def test_the_ridge_is_the_best_of_those_tried(residual, checkerboard, best, order):
    user, alone = torch.arange(24), {}

    def quality(scorers):
        if len(scorers) > 1:  # shares, of which the highest comes last
            return [*range(len(scorers))]
        alone[residual.linear.l2] = scorers[0](user)
        return [-abs(math.log(residual.linear.l2 / best))]

    residual.calibrate(checkerboard, own, quality)
    assert list(alone) == order
    assert residual.linear.l2 == best
    found = residual.linear(checkerboard, user)
    expected = (found - found.mean(1, keepdim=True)) / found.std(1, keepdim=True, correction=0)
    torch.testing.assert_close(alone.pop(best), expected)
    assert all(not torch.allclose(other, expected) for other in alone.values())


@pytest.mark.parametrize("helps", [True, False])
def test_features_count_where_they_are_better(helps, checkerboard):
    user, scored = torch.arange(24), []

    def quality(scorers):
        if len(scorers) > 1:
            return [*range(len(scorers))]
        scored.append(scorers[0](user))
        return [-abs(math.log(residual.linear.l2 / 50)) + helps * (len(scored) == 4)]

    residual = Residual(LocalEASE(40, num_neighbors=30), content=["visual", "textual"])
    residual.calibrate(checkerboard, own, quality)
    rows = content_rows(checkerboard, ["visual", "textual"], Residual.CONTENT)
    expected = LocalEASE(40, l2=50.0, num_neighbors=30)
    expected.solve(checkerboard, rows if helps else None)
    assert residual.linear.l2 == 50
    assert torch.equal(residual.linear(checkerboard, user), expected(checkerboard, user))
    assert not torch.allclose(scored[3], scored[0])


def test_those_who_were_just_scored_are_not_scored_for_each_share(residual, checkerboard):
    asked = []

    def counted(user):
        asked.append(user)
        return own(user)

    def quality(scorers):
        for user in torch.split(torch.arange(24), 10):
            for score_of in scorers:
                score_of(user)
        return [*range(len(scorers))]

    residual.calibrate(checkerboard, counted, quality)
    assert len(asked) == 3 * 2 * 2  # blocks; without a residual, and with any; as found, sharpened


def test_it_is_part_of_the_state(residual, checkerboard):
    residual.calibrate(checkerboard, own, hits(checkerboard))
    fresh = Residual(type(residual.linear)(40))
    fresh.load_state_dict(residual.state_dict())
    user = torch.arange(24)
    found, expected = (r(checkerboard, own)(user) for r in (fresh, residual))
    assert torch.equal(found, expected)


def of_mixes(best):
    """A quality: alone nothing is worth anything; of the mixes, those asked for at one time are
    better, with the fourth share."""
    asked = []

    def quality(scorers):
        if len(scorers) == 1:
            return [0.0]
        asked.append(scorers)
        return [float(len(asked) == best) - abs(place - 4) for place in range(len(scorers))]

    return quality, asked


@pytest.mark.parametrize(
    ("best", "is_dense", "power"), [(1, False, 1), (2, False, Residual.POWER), (3, True, 1)]
)
def test_of_several_linear_models_the_one_with_the_best_mix_stays(
    best, is_dense, power, checkerboard
):
    """Asked for are the first's mixes, those of its sharpened weights, and the second's."""
    local, dense = LocalEASE(40, num_neighbors=5), EASE(40)
    residual = Residual(local, dense)
    quality, asked = of_mixes(best)
    assert residual.calibrate(checkerboard, own, quality) == 1
    assert len(asked) == 3
    assert [local.solved, dense.solved] == [not is_dense, is_dense]
    assert residual.linear is (local, dense)[is_dense]
    assert residual.share == torch.tensor(Residual.SHARES[3])
    assert dense.l2 == local.l2 == Residual.L2S[1]  # no ridge was better than the first tried
    kept = type(residual.linear)(40, *([local.l2] if is_dense else [local.l2, 5]))
    kept.solve(checkerboard)
    kept.sharpen(power)
    user = torch.arange(24)
    assert torch.equal(residual.linear(checkerboard, user), kept(checkerboard, user))
    assert all(x.is_contiguous() for x in residual.state_dict().values())  # or none can be saved
    fresh = Residual(LocalEASE(40, num_neighbors=5), EASE(40))
    fresh.load_state_dict(residual.state_dict())
    assert repr(fresh) == repr(residual)
    assert torch.equal(fresh(checkerboard, own)(user), residual(checkerboard, own)(user))


@pytest.mark.parametrize("is_sharp", [True, False])
def test_what_is_better_for_the_first_is_taken_for_the_others_too(is_sharp, checkerboard):
    dense = EASE(40, dropout=0.5)
    residual = Residual(LocalEASE(40), dense, content=["visual"])
    alone = iter([1.0, 0.0, 0.0, 2.0])  # three ridges, then features
    mixed = iter([1.0, 1.0 + is_sharp, 3.0])

    def quality(scorers):
        if len(scorers) == 1:
            return [next(alone)]
        best = next(mixed)
        return [best * (place == 4) for place in range(len(scorers))]

    residual.calibrate(checkerboard, own, quality)
    expected = EASE(40, l2=Residual.L2S[1], dropout=0.5)
    expected.solve(checkerboard, content_rows(checkerboard, ["visual"], Residual.CONTENT))
    if is_sharp:
        expected.sharpen(Residual.POWER)
    assert torch.equal(dense.weight, expected.weight)


@pytest.mark.parametrize(("most", "best"), [(40**2 - 1, 4), (40**2, 2), (40**2, 0)])
def test_others_are_not_tried_in_vain(most, best, checkerboard, monkeypatch):
    """Too many items, a share below .2, none."""
    monkeypatch.setattr(Residual, "DENSE", most)
    first, dense = LocalEASE(40), EASE(40)
    solved = []
    monkeypatch.setattr(EASE, "solve", lambda *args: solved.append(args))

    def quality(scorers):
        return [float(place == best) for place in range(len(scorers))]

    residual = Residual(first, dense)
    residual.calibrate(checkerboard, own, quality)
    assert solved == []
    assert first.solved == (best > 0)
    assert residual.share == torch.tensor((0.0, *Residual.SHARES)[best])
