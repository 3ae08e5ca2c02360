from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crane_pyg.datasets.filters import distinct_pairs, k_core, renumber

rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 2))
)


def arrays(table):
    return np.array(table, dtype=np.int64).reshape(-1, 4).T


@given(rows)
def test_of_each_pair_the_earliest_row_stays(table):
    user, item, time, label = arrays(table)
    best = {}
    for i, (u, i_, t, x) in enumerate(table):
        if (u, i_) not in best or (x, t, i) < best[u, i_]:
            best[u, i_] = (x, t, i)
    kept, leaked = distinct_pairs(user, item, timestamp=time, label=label)
    assert kept.tolist() == sorted(i for _, _, i in best.values())
    splits = {}
    for u, i, _, x in table:
        splits.setdefault((u, i), set()).add(x)
    assert leaked == sum(len(found) > 1 for found in splits.values())


def test_without_times_the_first_row_stays():
    kept, leaked = distinct_pairs(np.array([0, 1, 0]), np.array([2, 2, 2]))
    assert kept.tolist() == [0, 1]
    assert leaked == 0


@given(rows, st.integers(0, 3), st.integers(0, 3))
def test_the_core_is_what_is_left_when_nothing_more_goes(table, min_user, min_item):
    pairs = sorted({(u, i) for u, i, _, _ in table})
    left = set(pairs)
    while True:
        users, items = Counter(u for u, _ in left), Counter(i for _, i in left)
        now = {(u, i) for u, i in left if users[u] >= min_user and items[i] >= min_item}
        if now == left:
            break
        left = now
    user, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    kept = k_core(user, item, min_user=min_user, min_item=min_item)
    assert [pair for pair, stays in zip(pairs, kept) if stays] == sorted(left)


def test_renumber():
    new, old = renumber(np.array([7, 2, 7, 4]))
    assert new.tolist() == [2, 0, 2, 1]
    assert old.tolist() == [2, 4, 7]
