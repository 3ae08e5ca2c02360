import pytest
import torch

from crane_pyg.nn import Residual
from crane_pyg.nn.linear import EASE, LocalEASE
from crane_pyg.schema import USER_TO_ITEM


@pytest.fixture(params=[EASE, LocalEASE])
def residual(request):
    return Residual(request.param(40))


def own(user):
    return torch.randn(24, 40, generator=torch.Generator().manual_seed(0))[user]


def hits(residual, data):
    """A quality: what share of the five best is of the user's kind."""

    def quality():
        score = residual(data, own)(torch.arange(24))
        score[tuple(data[USER_TO_ITEM].edge_index)] = -torch.inf
        right = score.topk(2).indices % 2 == torch.arange(24).view(-1, 1) % 2
        return float(right.float().mean())

    return quality


def test_it_says_nothing_before_it_is_calibrated(residual, checkerboard):
    assert residual(checkerboard, own) is own
    assert "share=0" in repr(residual)


def test_scores_are_the_mix_of_standardised_ones(residual, checkerboard):
    residual.linear.solve(checkerboard)
    residual.share.fill_(0.3)
    user = torch.tensor([3, 0, 3])
    parts = own(user), residual.linear(checkerboard, user)
    mixed = [(x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0) for x in parts]
    expected = 0.7 * mixed[0] + 0.3 * mixed[1]
    torch.testing.assert_close(residual(checkerboard, own)(user), expected)


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
    quality = hits(residual, checkerboard)
    alone = quality()
    reached = residual.calibrate(checkerboard, quality)
    assert reached == quality() > alone
    assert residual.share > 0
    again = residual.calibrate(checkerboard, quality)  # starts anew, whatever it was
    assert again == reached


def test_what_does_harm_is_left_out(residual, checkerboard):
    def quality():
        return 1.0 - float(residual.share)

    assert residual.calibrate(checkerboard, quality) == 1.0
    assert residual(checkerboard, own) is own
    assert not residual.linear.solved


def test_the_ridge_is_the_best_of_those_tried(residual, checkerboard):
    quality_by_l2 = {10.0: 0.1, 50.0: 0.3, 200.0: 0.2}

    def quality():
        return quality_by_l2[residual.linear.l2] if residual.share == 1 else 0.0

    residual.calibrate(checkerboard, quality)
    assert residual.linear.l2 == 50.0


def test_it_is_part_of_the_state(residual, checkerboard):
    residual.calibrate(checkerboard, hits(residual, checkerboard))
    fresh = Residual(type(residual.linear)(40))
    fresh.load_state_dict(residual.state_dict())
    user = torch.arange(24)
    found, expected = (r(checkerboard, own)(user) for r in (fresh, residual))
    assert torch.equal(found, expected)
