import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crane_pyg.datasets.splits import (
    check_labels,
    draw_val,
    label_interactions,
    split_at_random,
    split_by_time,
    split_cold,
    split_last,
)

rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)))
pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, unique=True)


def test_a_tenth_each_is_held_out_by_torchs_permutation():
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(3)).tolist()
    label = split_at_random(1000, seed=3)
    assert sorted(order[:100]) == np.flatnonzero(label == 1).tolist()
    assert sorted(order[100:200]) == np.flatnonzero(label == 2).tolist()


@pytest.mark.parametrize("num", [0, 9, 10, 19, 30, 70, 4509])
def test_a_tenth_is_rounded_down(num):
    counts = np.bincount(split_at_random(num), minlength=3).tolist()
    assert counts == [num - 2 * (num // 10), num // 10, num // 10]


@pytest.mark.parametrize("split", ["random", "cold"])
@given(pairs, st.randoms(use_true_random=False), st.integers(0, 3))
def test_a_drawn_split_does_not_depend_on_the_order_of_the_pairs(split, table, random, seed):
    def labels(table):
        user, item = np.array(table).T
        return dict(zip(table, label_interactions(split, user, item, seed=seed).tolist()))

    shuffled = random.sample(table, len(table))
    assert labels(table) == labels(shuffled)


def test_what_is_given_is_taken():
    label = np.array([2, 0])
    assert label_interactions("given", label, label, label=label) is label


def test_random_split():
    label = split_at_random(37, ratio=(2, 1, 1), seed=5)
    assert np.bincount(label).tolist() == [19, 9, 9]
    assert (label == split_at_random(37, ratio=(2, 1, 1), seed=5)).all()
    assert (label != split_at_random(37, ratio=(2, 1, 1), seed=6)).any()


def test_a_tenth_of_the_items_is_cold():
    # Twenty items have pairs: item 3 one, item 6 two, and so on; the others between have none.
    item = np.repeat(np.arange(3, 63, 3), np.arange(1, 21))
    order = torch.randperm(20, generator=torch.Generator().manual_seed(4)).tolist()
    label = split_cold(item, seed=4)
    assert {*item[label == 1]} == {3 * order[0] + 3}
    assert {*item[label == 2]} == {3 * order[1] + 3}
    assert not {*item[label == 0]} & {*item[label != 0]}
    assert (label != split_cold(item, seed=5)).any()


@pytest.mark.parametrize(("num", "held_out"), [(19, 0), (20, 1), (39, 1), (40, 2), (4509, 225)])
def test_a_twentieth_of_the_items_is_rounded_down(num, held_out):
    counts = np.bincount(split_cold(np.arange(num)), minlength=3).tolist()
    assert counts == [num - 2 * held_out, held_out, held_out]


def test_split_by_time_is_the_same_moment_for_all():
    time = np.array([9, 0, 5, 1, 2, 3, 4, 7, 8, 6])
    assert split_by_time(time, ratio=(0.6, 0.2, 0.2)).tolist() == [2, 0, 0, 0, 0, 0, 0, 1, 2, 1]


@given(st.lists(st.integers(0, 9), min_size=1))
def test_one_moment_is_in_one_split_and_later_moments_in_none_before(times):
    label = split_by_time(np.array(times))
    by_time = sorted(zip(times, label.tolist()))
    assert len(set(by_time)) == len(set(times))
    assert [x for _, x in by_time] == sorted(label.tolist())


@given(rows)
def test_the_last_of_each_user_is_held_out(table):
    user, time = np.array(table, dtype=np.int64).reshape(-1, 2).T
    label = split_last(user, time)
    for u in set(user.tolist()):
        own = sorted((t, i) for i, (v, t) in enumerate(table) if v == u)
        expected = [0] * (len(own) - 2) + [1, 2] if len(own) >= 3 else [0] * len(own)
        assert [label[i] for _, i in own] == expected


@pytest.mark.parametrize("split", ["random", "time", "last", "cold"])
def test_nothing_is_split_into_nothing(split):
    nothing = np.empty(0, dtype=np.int64)
    assert len(label_interactions(split, nothing, nothing, timestamp=nothing)) == 0


@pytest.mark.parametrize(("label", "name"), [([1, 2], "train"), ([0, 2, 0], "val"), ([], "train")])
def test_no_split_may_be_empty(label, name):
    label = np.array(label, dtype=np.int64)
    with pytest.raises(ValueError, match=rf"^here: the {name} split is empty, .* \(got 3 rows\)$"):
        check_labels(label, where="here", got="3 rows")
    check_labels(np.array([2, 1, 0]), where="here", got="all")


def test_val_is_drawn_from_train_alone_whatever_the_order():
    user, item = np.divmod(np.arange(60), 6)
    label = np.where(item == 5, 2, 0)
    drawn, count = draw_val(label, user, item, seed=3)
    assert count == (drawn == 1).sum() == 5
    assert (drawn[label == 2] == 2).all()
    order = np.random.default_rng(0).permutation(60)
    assert (draw_val(label[order], user[order], item[order], seed=3)[0] == drawn[order]).all()
    assert (draw_val(label, user, item, seed=4)[0] != drawn).any()
    assert (label != 1).all()
