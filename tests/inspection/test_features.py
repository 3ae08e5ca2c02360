import numpy as np
import pytest

from crane_pyg.inspection import features
from crane_pyg.inspection.features import count_features

NOBODY = np.empty((2, 0), dtype=np.int64)


@pytest.fixture(params=[1, 7, 1 << 22])
def _block(request, monkeypatch):
    monkeypatch.setattr(features, "_BLOCK", request.param)


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_matrix_one_can_read(dtype):
    x = np.array(
        [
            [3, 4, 1, 0],
            [0, 0, 0, 0],  # missing
            [2, 2, 2, 2],  # constant
            [3, 4, 1, -0.0],  # the first row again
            [np.nan, 0, 1, 0],
            [3, 4, 1, 0],
            [0, np.inf, 1, 0],
        ],
        dtype=dtype,
    )
    found, present = count_features(x, NOBODY)
    assert present.tolist() == [True, False, True, True, False, True, False]
    assert (found.dtype, found.rows, found.channels, found.present) == (np.dtype(dtype), 7, 4, 4)
    assert (found.not_finite, found.first_not_finite) == (2, 4)
    assert (found.constant, found.repeated, found.most_repeated) == (1, 2, 3)
    assert found.dead == 0
    assert found.norms["0%"] == pytest.approx(4)
    assert found.norms["100%"] == pytest.approx(26**0.5)
    assert found.agreement is None


@pytest.mark.usefixtures("_block")
def test_dead_channels_are_those_of_the_rows_that_are_there():
    x = np.array([[0, 5, 0, 1], [0, 5, 0, 2], [0, 0, 0, 0]], dtype=np.float32)
    assert count_features(x, NOBODY)[0].dead == 3


def test_nothing_there():
    found, present = count_features(np.zeros((3, 2)), NOBODY)
    assert (found.present, found.norms, found.most_repeated) == (0, {}, 0)
    assert not present.any()


@pytest.mark.usefixtures("_block")
def test_agreement_of_tastes(monkeypatch):
    monkeypatch.setattr(features, "_PAIRS", 2_000)
    rng = np.random.default_rng(0)
    style = np.arange(60) % 3
    x = 10 + rng.standard_normal((3, 8))[style] + 0.3 * rng.standard_normal((60, 8))  # a cone
    x[7] = 0  # lacks it
    user = np.repeat(np.arange(90), 5)
    item = 3 * rng.integers(20, size=len(user)) + user % 3  # of the user's style
    train = np.unique(np.stack([user, item]), axis=1)
    found = count_features(x, train)[0].agreement
    unit = x[x.any(axis=1)].mean(axis=0)
    centred = (x - unit) / np.linalg.norm(x - unit, axis=1, keepdims=True)
    cosines = centred @ centred.T
    alike = (style[:, None] == style) & ~np.eye(60, dtype=bool)
    alike[7] = alike[:, 7] = False
    assert found.same == pytest.approx(cosines[alike].mean(), abs=0.05)
    assert found.same > 0.8 > 0.2 > found.chance
    assert found.z > 10
    shuffled = count_features(x[rng.permutation(60)], train)[0].agreement
    assert abs(shuffled.z) < 3
    assert count_features(x, train)[0].agreement == found


def test_users_of_one_item_say_nothing():
    train = np.stack([np.arange(5), np.arange(5)])
    assert count_features(np.random.default_rng(0).random((5, 3)), train)[0].agreement is None
