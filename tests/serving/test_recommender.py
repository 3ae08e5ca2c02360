import subprocess
import sys

import numpy as np
import pytest
import torch

from crane_pyg.serving import Recommender, UnknownIdError

EVEN = [f"item {number}" for number in range(0, 40, 2)]


def parity(ranking):
    return {int(name.split()[1]) % 2 for name in ranking.ids}


def test_it_shows_what_it_is(exported):
    _, shop = exported()
    assert repr(shop) == "Recommender('lightgcn', 24 users, 40 items)"
    assert shop.item_ids[3] == "item 3"
    assert shop.titles[-1] == "Thing № 39"
    assert shop.pictures is None
    assert shop.modalities == ["textual", "visual"]
    assert "lightgcn" in shop.card


def test_an_even_user_gets_even_items_that_they_lack(exported):
    _, shop = exported()
    ranking = shop.recommend("user 4", 40, filter_seen=False)
    assert len(ranking) == 40
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    assert set(ranking.ids[:20]) == set(EVEN)
    seen = set(shop.history_of("user 4"))
    assert seen == set(EVEN)  # of all splits
    assert set(shop.recommend("user 4", 40).ids) == set(shop.item_ids) - seen


def test_several_users_are_ranked_as_each_alone(exported):
    _, shop = exported("crane")
    together = shop.recommend(["user 1", "user 2", "user 1"], 5)
    for name, ranking in zip(["user 1", "user 2", "user 1"], together, strict=True):
        alone = shop.recommend(name, 5)
        assert ranking.ids == alone.ids
        np.testing.assert_allclose(ranking.scores, alone.scores, rtol=1e-5)


def test_there_are_never_fewer_than_k_while_items_are_left(exported):
    _, shop = exported()
    wanted = ["item 1", "item 2", "item 4", "item 5"]
    assert set(shop.recommend("user 0", 2, items=wanted).ids) == {"item 1", "item 5"}
    assert len(shop.recommend("user 0", 20, items=wanted, filter_seen=False)) == 4
    left = shop.recommend("user 0", 20, items=wanted, exclude=["item 1"])
    assert left.ids == ("item 5",)
    assert len(shop.recommend("user 0", 20)) == 20


def test_unknown_users_are_refused_or_get_what_is_popular(exported):
    _, shop = exported()
    with pytest.raises(UnknownIdError, match=r"every user must be known .*1 unknown: 'nobody'"):
        shop.recommend(["user 0", "nobody"], 3)
    known, unknown = shop.recommend(["user 0", "nobody"], 3, unknown="popular")
    assert known.ids == shop.recommend("user 0", 3).ids
    taken = dict(zip(shop.item_ids, shop.tables.taken.tolist(), strict=True))
    assert [taken[name] for name in unknown.ids] == sorted(taken.values(), reverse=True)[:3]
    assert not shop.knows_user("nobody")


@pytest.mark.parametrize("name", ["lightgcn", "crane", "ials", "ease"])
def test_a_history_gets_what_its_like_get(exported, name):
    _, shop = exported(name)
    ranking = shop.recommend_for_history(EVEN[:5], 3)
    assert parity(ranking) == {0}
    assert not set(ranking.ids) & set(EVEN[:5])
    assert shop.recommend_for_history([*EVEN[:5], EVEN[0]], 3).ids == ranking.ids
    assert parity(shop.recommend_for_history(["item 3", "item 9"], 3)) == {1}


@pytest.mark.parametrize("name", ["lightgcn", "crane", "ials", "ease", "dgvae"])
def test_several_histories_are_ranked_as_each_alone(exported, name):
    _, shop = exported(name)
    histories = [EVEN[:5], ["item 3"], ["item 7", "item 2", "item 7"], EVEN]
    for options in ({}, {"filter_seen": False}, {"content_weight": 0.4, "exclude": ["item 4"]}):
        together = shop.recommend_for_histories(histories, 6, **options)
        for history, ranking in zip(histories, together, strict=True):
            alone = shop.recommend_for_history(history, 6, **options)
            assert ranking.ids == alone.ids
            np.testing.assert_allclose(ranking.scores, alone.scores, rtol=1e-4, atol=1e-6)
    with pytest.raises(UnknownIdError, match="'jam'"):
        shop.recommend_for_histories([["item 3"], ["jam"]])
    assert shop.recommend_for_histories([]) == []


@pytest.mark.parametrize("by", ["behaviour", "content", "visual", "textual"])
def test_like_items_are_similar(exported, by):
    _, shop = exported("crane")
    ranking = shop.similar_items("item 6", 19, by=by)
    assert parity(ranking) == {0}
    assert "item 6" not in ranking.ids
    first, second = shop.similar_items(["item 6", "item 7"], 19, by=by)
    assert first.ids == ranking.ids
    assert parity(second) == {1}


def test_similar_by_behaviour_is_the_cosine(exported):
    model, shop = exported()
    item = torch.nn.functional.normalize(shop_items(model, shop))
    expected = (item @ item[3]).topk(5)
    ranking = shop.similar_items("item 3", 4)
    assert ["item 3", *ranking.ids] == [f"item {i}" for i in expected.indices.tolist()]
    np.testing.assert_allclose(ranking.scores, expected.values[1:], rtol=1e-5)


def shop_items(model, shop):
    return torch.from_numpy(np.array(shop.tables.vectors.item))


def test_content_counts_as_much_as_it_is_told_to(exported):
    _, shop = exported()
    plain = shop.recommend("user 0", 10)
    assert shop.recommend("user 0", 10, content_weight=0).ids == plain.ids
    only = shop.recommend("user 0", 40, content_weight=1, filter_seen=False)
    looks = shop.tables.looks.values()
    trained = shop.history_of("user 0")[: int(shop.tables.trained[0])]
    history = shop.item_numbers(trained)
    score = sum(look.rows[history].sum(0) @ look.rows.T for look in looks)
    assert only.ids == tuple(f"item {i}" for i in np.argsort(-score, kind="stable"))
    with pytest.raises(ValueError, match=r"between 0 and 1 \(got 2\)"):
        shop.recommend("user 0", content_weight=2)


def test_wrong_requests_are_named(exported):
    _, shop = exported()
    with pytest.raises(ValueError, match=r"k must be at least 1 \(got 0\)"):
        shop.recommend("user 0", 0)
    with pytest.raises(UnknownIdError, match=r"every item must be known .*'jam'"):
        shop.recommend("user 0", items=["jam"])
    with pytest.raises(UnknownIdError, match="'jam'"):
        shop.recommend_for_history(["jam"])
    with pytest.raises(ValueError, match="at least one item"):
        shop.recommend_for_history([])
    with pytest.raises(ValueError, match=r"by must be one of 'behaviour'.*got 'smell'"):
        shop.similar_items("item 0", by="smell")
    with pytest.raises(ValueError, match="unknown must be one of"):
        shop.recommend("user 0", unknown="guess")


def test_it_needs_neither_torch_nor_the_data(exported, tmp_path):
    _, shop = exported("crane")
    code = (
        "import sys; from crane_pyg.serving import Recommender; "
        f"print(*Recommender.load({str(tmp_path / 'shop')!r}).recommend('user 3', 5).ids, sep=',');"
        "assert not {'torch', 'torch_geometric', 'pandas', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == ",".join(shop.recommend("user 3", 5).ids), done.stderr
    assert Recommender.load(tmp_path / "shop", verify=False).item_ids[0] == "item 0"
