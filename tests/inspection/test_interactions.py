import numpy as np
import pytest

from crane_pyg.inspection.interactions import count_interactions

TRAIN, VAL, TEST = 0, 1, 2


def test_a_log_one_can_count():
    rows = [
        *[(0, 0, TRAIN), (0, 1, TRAIN), (0, 1, TRAIN), (1, 0, TRAIN)],
        *[(0, 0, VAL), (2, 0, VAL), (1, 3, VAL)],  # the first leaks; user 2 and item 3 are cold
        *[(0, 0, TEST), (2, 0, TEST), (1, 1, TEST)],  # leaks of both kinds
    ]
    found = count_interactions(np.array(rows)[:, :2].T, np.array(rows)[:, 2], 4, 5)
    assert (found.rows, found.distinct, found.repeated) == (10, 6, 1)
    assert found.leaks == {"train & val": 1, "train & test": 1, "val & test": 2}
    train, val, test = found.splits.values()
    assert (train.interactions, train.users, train.items) == (3, 2, 2)
    assert (train.cold_users, train.cold_items, train.cold_interactions) == (0, 0, 0)
    assert (val.cold_users, val.cold_items, val.cold_interactions) == (1, 1, 2)
    assert (test.interactions, test.cold_users, test.cold_items) == (3, 1, 0)
    # User 0 has items 0 and 1, user 1 items 0, 3 and 1, user 2 item 0, user 3 nothing.
    assert found.user.histogram == ([1, 2, 3], [1, 1, 1])
    assert (found.user.count, found.user.unused, found.user.mean) == (3, 1, 2)
    assert found.item.histogram == ([1, 2, 3], [1, 1, 1])
    assert (found.item.count, found.item.unused) == (3, 2)
    assert found.density == pytest.approx(6 / 20)


def test_gini_and_the_top_of_a_long_tail():
    degree = np.array([1] * 198 + [50, 51])
    user = np.repeat(np.arange(200), degree)
    item = np.concatenate([np.arange(d) for d in degree])
    found = count_interactions(np.stack([user, item]), np.zeros(len(user), dtype=int), 200, 51)
    differences = np.abs(degree[:, None] - degree).mean()
    assert found.user.gini == pytest.approx(differences / (2 * degree.mean()))
    assert found.user.top_share == pytest.approx(101 / degree.sum())
    assert found.user.quantiles == {
        name: pytest.approx(np.quantile(degree, q))
        for name, q in {
            **{"0%": 0, "25%": 0.25, "50%": 0.5, "75%": 0.75, "90%": 0.9, "99%": 0.99, "100%": 1}
        }.items()
    }


def test_all_alike_and_an_empty_split():
    pairs = np.stack(np.divmod(np.arange(12), 4))
    found = count_interactions(pairs, np.zeros(12, dtype=int), 3, 4)
    assert found.user.gini == pytest.approx(0)
    assert found.splits["test"].interactions == 0
    nothing = count_interactions(pairs[:, :0], np.zeros(0, dtype=int), 3, 4)
    assert (nothing.user.count, nothing.user.unused, nothing.density) == (0, 3, 0)
