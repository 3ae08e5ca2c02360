import numpy as np
import pytest

from crane_pyg.serving.scoring import best, mixed, standardised


@pytest.mark.parametrize("k", [1, 2, 5, 9, 10, 11, 50])
def test_the_best_are_the_first_of_a_stable_sort(k):
    draw = np.random.default_rng(k)
    for _ in range(50):
        score = draw.integers(0, 4, 10).astype(np.float32)  # with many equals
        score[draw.random(10) < 0.3] = -np.inf
        expected = [i for i in np.argsort(-score, kind="stable")[:k] if score[i] > -np.inf]
        assert best(score, k).tolist() == expected


@pytest.mark.parametrize("shares", [[0, 0.2, 0.5], [0.8, 1, 0.1]])
def test_a_mix_is_that_of_standardised_scores(shares):
    draw = np.random.default_rng(0)
    first, second = draw.standard_normal((2, 3, 257)).astype(np.float32)
    second[1] = 7  # nothing to tell apart by
    before = first.copy(), second.copy()
    share = np.array(shares)[:, None]
    expected = (1 - share) * standardised(first) + share * standardised(second)
    np.testing.assert_allclose(mixed(first, second, shares), expected, atol=1e-6)
    np.testing.assert_array_equal(first, before[0])
    np.testing.assert_array_equal(second, before[1])
