import sys

import numpy as np
import pytest

from crane_pyg.export.item_index import add_index
from crane_pyg.seals import DamagedFileError
from crane_pyg.serving import Recommender
from crane_pyg.serving.artefact import Artefact, as_arrays, extend_artefact, write_artefact
from crane_pyg.serving.rows import Rows

faiss = pytest.importorskip("faiss")

USERS, ITEMS, DIM = 60, 3000, 8


def draw_shop(folder, *, similarity="inner", share=0.0, seed=0):
    """Vectors of uneven length around some centres, and a residual of a few items for each."""
    draw = np.random.default_rng(seed)
    centre = draw.standard_normal((30, DIM))
    item = centre[draw.integers(30, size=ITEMS)] + 0.3 * draw.standard_normal((ITEMS, DIM))
    user = centre[draw.integers(30, size=USERS)] + 0.3 * draw.standard_normal((USERS, DIM))
    if similarity == "inner":
        item *= np.exp(draw.standard_normal((ITEMS, 1)))
    else:
        item /= np.linalg.norm(item, axis=1, keepdims=True)
        user /= np.linalg.norm(user, axis=1, keepdims=True)
    item, user = item.astype(np.float32), user.astype(np.float32)
    who, what = np.repeat(np.arange(USERS), 6), draw.integers(ITEMS, size=6 * USERS)
    rows = {"seen": Rows.of(who, what, USERS)}
    if share:
        entry = np.repeat(np.arange(ITEMS), 12)
        named = draw.integers(ITEMS, size=len(entry))
        rows["linear"] = Rows.of(entry, named, ITEMS, draw.random(len(entry)).astype(np.float32))
    arrays = as_arrays(
        {"user_ids": map(str, range(USERS)), "item_ids": map(str, range(ITEMS))},
        rows,
        trained=np.full(USERS, 6, np.int32),
        taken=np.bincount(what, minlength=ITEMS).astype(np.int32),
        user=user,
        item=item,
        fold_in_0=item,
        fold_in_constant=np.zeros(DIM, np.float32),
        look_0=item,
        look_0_mean=np.zeros(DIM, np.float32),
        look_0_basis=np.eye(DIM, dtype=np.float32),
    )
    note = {"similarity": similarity, "blocks": 1, "share": share, "half_share_at": 4.0}
    note |= {"fold_in": {"kind": "closed", "terms": [{"shift": 0, "power": 0.5}]}}
    note |= {"modalities": {"look": 0}, "graph": None, "neighbours": {"kind": "looks"}}
    write_artefact(folder, note, arrays, "Drawn.")
    return folder


def look_into_all(folder):
    note = Artefact(folder).about["index"]
    extend_artefact(folder, Artefact(folder), {"index": note | {"probes": note["cells"]}}, {})


@pytest.mark.parametrize("similarity", ["inner", "cosine"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_with_all_cells_lists_are_the_exact_ones(tmp_path, similarity, share):
    draw_shop(tmp_path, similarity=similarity, share=share)
    add_index(tmp_path, least_recall=0.5)
    look_into_all(tmp_path)
    exact, shop = Recommender.load(tmp_path), Recommender.load(tmp_path, index="faiss")
    features = {"look": np.random.default_rng(5).standard_normal((3, DIM))}
    ids = ["new 1", "new 2", "new 3"]
    pairs = [(exact, shop), (exact.add_items(features, ids), shop.add_items(features, ids))]
    histories = [["7"], ["0", "1", "2"], ["2999", "5"]]
    for one, other in pairs:
        for seen in (True, False):
            expected = one.recommend(list(one.user_ids), 15, filter_seen=seen)
            found = other.recommend(list(one.user_ids), 15, filter_seen=seen)
            expected += one.recommend_for_histories(histories, 15, filter_seen=seen)
            found += other.recommend_for_histories(histories, 15, filter_seen=seen)
            assert [ranking.ids for ranking in found] == [ranking.ids for ranking in expected]
            for ranking, wanted in zip(found, expected, strict=True):
                np.testing.assert_allclose(ranking.scores, wanted.scores, rtol=1e-4, atol=1e-5)
    assert shop.recommend([], 5) == []


def test_an_added_item_is_ranked_though_no_index_knows_it(tmp_path):
    draw_shop(tmp_path)
    add_index(tmp_path, least_recall=0.1)
    shop = Recommender.load(tmp_path, index="faiss")
    liked = shop.recommend("3", 1).ids[0]
    look = shop.tables.looks["look"].rows[int(liked)]
    shop = shop.add_items({"look": look[None]}, ["new"])
    exact = Recommender.load(tmp_path).add_items({"look": look[None]}, ["new"])
    everything = exact.recommend("3", ITEMS).ids
    near = everything.index("new") + 1
    assert near < 500
    assert "new" in shop.recommend("3", near).ids


def test_the_recall_is_that_of_brute_force(tmp_path):
    """Cells, and items in them, are looked for by all distances."""
    draw_shop(tmp_path)
    report = add_index(tmp_path, least_recall=0.6)
    artefact = Artefact(tmp_path)
    assert artefact.about["index"] == vars(report)
    assert report.users == USERS
    item = artefact.array("item", ITEMS, DIM).astype(float)
    longest = np.linalg.norm(item, axis=1).max()
    centroids, cell = (
        artefact.array("index_centroids", None, DIM + 1),
        artefact.arrays["index_cell"],
    )
    hits = 0
    for user, vector in enumerate(artefact.array("user", USERS, DIM).astype(float)):
        query = np.append(vector * longest / np.linalg.norm(vector), 0)
        near = np.argsort(np.square(centroids - query).sum(1))[: report.probes]
        score = item @ vector
        score[artefact.rows("seen", USERS, ITEMS).indices(user)] = -np.inf
        exact = set(np.argsort(-score)[:20].tolist())
        score[~np.isin(cell, near)] = -np.inf
        hits += len(exact & set(np.argsort(-score)[:20].tolist()))
    assert report.recall == pytest.approx(hits / (20 * USERS))
    assert 0.6 <= report.recall < 1


def test_too_little_recall_is_refused_unless_told_otherwise(tmp_path, monkeypatch):
    draw_shop(tmp_path)
    monkeypatch.setattr("crane_pyg.export.item_index.recall_of", lambda found, exact: 0.9)
    with pytest.raises(
        ValueError, match=r"must find 95% .*--least-recall accepts less \(got 90.0%"
    ):
        add_index(tmp_path)
    assert "index" not in Recommender.load(tmp_path).about
    with pytest.raises(ValueError, match=r"must hold an index .*export --index faiss"):
        Recommender.load(tmp_path, index="faiss")
    assert add_index(tmp_path, least_recall=0.85).recall == 0.9
    assert Recommender.load(tmp_path, index="faiss").recommend("0", 5).ids
    with pytest.raises(ValueError, match=r"between 0 and 1 \(got 2\)"):
        add_index(tmp_path, least_recall=2)


@pytest.mark.parametrize(
    "options", [{"items": ["5", "9", "70"]}, {"exclude": ["5"]}, {"content_weight": 0.5}]
)
def test_what_no_index_can_serve_is_exact(tmp_path, options):
    draw_shop(tmp_path)
    add_index(tmp_path, least_recall=0.1)
    exact, shop = Recommender.load(tmp_path), Recommender.load(tmp_path, index="faiss")
    assert shop.recommend("7", 5, **options) == exact.recommend("7", 5, **options)
    assert shop.recommend("7", ITEMS) == exact.recommend("7", ITEMS)
    assert shop.similar_items("7", 5) == exact.similar_items("7", 5)


def test_another_artefact_in_its_place_gets_no_index_of_the_old(tmp_path):
    draw_shop(tmp_path)
    opened = Artefact(tmp_path)
    draw_shop(tmp_path, share=0.3, seed=1)
    with pytest.raises(ValueError, match="must be what was opened"):
        extend_artefact(tmp_path, opened, {"index": {}}, {})


@pytest.mark.parametrize("name", ["index_cell", "index_centroids"])
def test_a_damaged_index_is_refused(tmp_path, name):
    draw_shop(tmp_path)
    add_index(tmp_path, least_recall=0.1)
    (path,) = tmp_path.glob(f"{name}-*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="checksum"):
        Recommender.load(tmp_path, index="faiss")
    path.unlink()
    with pytest.raises(DamagedFileError, match="missing"):
        Recommender.load(tmp_path, index="faiss")


def test_faiss_is_asked_for_where_it_is_needed(tmp_path, monkeypatch):
    draw_shop(tmp_path)
    add_index(tmp_path, least_recall=0.1)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert Recommender.load(tmp_path).recommend("0", 5).ids
    for wanted in (lambda: Recommender.load(tmp_path, index="faiss"), lambda: add_index(tmp_path)):
        with pytest.raises(ValueError, match="pip install faiss-cpu"):
            wanted()


def test_a_model_without_vectors_has_no_index(exported, tmp_path):
    exported("ease")
    with pytest.raises(ValueError, match="needs vectors compared by inner products"):
        add_index(tmp_path / "shop")
    with pytest.raises(ValueError, match="index must be one of"):
        Recommender.load(tmp_path / "shop", index="annoy")
