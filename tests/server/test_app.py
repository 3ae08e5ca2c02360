import json

import httpx
import pytest

from crane_pyg.serving import Recommender


@pytest.fixture(scope="module")
def shop(shop_files):
    return Recommender.load(shop_files / "model")


def post(client, path, status=200, **body):
    response = client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


def called(shop, *titles):
    """Ids of items by their titles."""
    return [shop.item_ids[list(shop.titles).index(title)] for title in titles]


def names(items):
    return [item["id"] for item in items]


def test_users_get_the_lists_of_python(client, shop):
    users = list(shop.user_ids)
    for more in ({}, {"content_weight": 0.4}, {"filter_seen": False}):
        found = post(client, "/recommend", users=users, k=7, **more)["results"]
        assert [result["user"] for result in found] == users
        expected = shop.recommend(users, 7, **more)
        for result, ranking in zip(found, expected, strict=True):
            assert names(result["items"]) == list(ranking.ids)
            assert [item["score"] for item in result["items"]] == list(ranking.scores)


def test_items_may_be_named_or_left_out(client, shop):
    some = list(shop.item_ids[:6])
    body = {"users": ["customer 1"], "filter_seen": False, "items": some, "exclude": some[:2]}
    (result,) = post(client, "/recommend", **body)["results"]
    assert set(names(result["items"])) == set(some[2:])


def test_unknown_users(client, shop):
    refused = post(client, "/recommend", 404, users=["customer 1", "nobody"])
    assert refused == {"detail": "every user must be known (got 1 unknown: 'nobody')"}
    (result,) = post(client, "/recommend", users=["nobody"], unknown="popular", k=3)["results"]
    (popular,) = shop.recommend(["nobody"], 3, unknown="popular")
    assert names(result["items"]) == list(popular.ids)


def test_a_history_is_answered_at_once(client, shop):
    liked = called(shop, "red thing 0", "red thing 4")
    found = post(client, "/history", items=liked, k=5)["items"]
    assert names(found) == list(shop.recommend_for_history(liked, 5).ids)
    assert {item["title"].split()[0] for item in found} == {"red"}
    assert post(client, "/history", 404, items=["nothing"])["detail"].startswith("every item")


@pytest.mark.parametrize("by", ["behaviour", "content", "image", "text"])
def test_similar(client, shop, by):
    asked = [shop.item_ids[2], shop.item_ids[5]]
    found = post(client, "/similar", items=asked, k=4, by=by)["results"]
    assert [result["item"] for result in found] == asked
    for result, ranking in zip(found, shop.similar_items(asked, 4, by=by), strict=True):
        assert names(result["items"]) == list(ranking.ids)


@pytest.mark.parametrize("by_history", [True, False])
def test_parts_of_a_score_add_up(client, shop, by_history):
    history = called(shop, "red thing 0", "red thing 4", "blue thing 3")
    body = {"history": history} if by_history else {"user": "customer 2"}
    found = post(client, "/explain", item=called(shop, "red thing 8")[0], **body)
    assert found["item"]["title"] == "red thing 8"
    parts = [part["amount"] for part in found["contributions"]]
    total = sum(parts) + found["own"] + found["baseline"]
    assert total == pytest.approx(found["score"], abs=1e-5)
    taken = history if by_history else shop.history_of("customer 2")
    assert {part["item"]["id"] for part in found["contributions"]} <= set(taken)
    edges = {part["edge"] for part in found["contributions"]}
    assert edges <= {"behaviour", "together", *shop.modalities}
    assert post(client, "/explain", 404, item="nothing", **body)["detail"].startswith("every item")


def test_items_as_people_see_them(client, shop):
    page = client.get("/items", params={"search": "BLUE thing", "limit": 5, "offset": 2}).json()
    assert page["total"] == 12
    assert len(page["items"]) == 5
    assert all(item["title"].startswith("blue") for item in page["items"])
    taken = dict(zip(shop.item_ids, shop.tables.taken.tolist(), strict=True))
    every = client.get("/items", params={"limit": 200}).json()["items"]
    counts = [taken[item["id"]] for item in every]
    assert counts == sorted(counts, reverse=True)
    assert len(every) == 24
    assert client.get("/items", params={"search": "zebra"}).json() == {"total": 0, "items": []}
    (one,) = client.get("/items", params={"search": "thing/7"}).json()["items"]
    assert one == {
        "id": "thing/7 é",
        "title": "blue thing 7",
        "picture": "pictures/7%20%23%3F.png",
        "score": None,
    }


def test_what_is_served(client):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert (health["model"], health["users"], health["items"]) == ("crane", 30, 24)
    assert health["modalities"] == ["image", "text"]


def test_counts_for_prometheus(client):
    post(client, "/history", 404, items=["nothing"])
    client.get("/secret/path")
    text = client.get("/metrics").text
    assert 'crane_requests_total{path="/history",status="404"}' in text
    assert 'crane_requests_total{path="other",status="404"}' in text
    assert "secret" not in text
    assert "crane_batch_size_count" in text
    assert "crane_items 24.0" in text


def test_the_interface_describes_itself(client):
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) >= {
        *("/recommend", "/history", "/similar", "/explain", "/items", "/health", "/reload")
    }
    schemas = described["components"]["schemas"]
    for name in ("RecommendRequest", "HistoryRequest", "SimilarRequest", "ExplainRequest"):
        assert schemas[name]["examples"]


WRONG = [
    ("/recommend", {}, "users: Field required"),
    ("/recommend", {"users": []}, "users: List should have at least 1 item"),
    ("/recommend", {"users": "customer 1"}, "users: Input should be a valid list"),
    ("/recommend", {"users": [7]}, "users.0: Input should be a valid string"),
    ("/recommend", {"users": ["customer 1"], "k": 0}, "k: Input should be greater than"),
    ("/recommend", {"users": ["customer 1"], "k": 10**9}, "k: Input should be less than"),
    ("/recommend", {"users": ["customer 1"], "k": "5"}, "k: Input should be a valid integer"),
    ("/recommend", {"users": ["customer 1"], "k": True}, "k: Input should be a valid integer"),
    ("/recommend", {"users": ["customer 1"], "unknown": "x"}, "unknown: Input should be 'raise'"),
    ("/recommend", {"users": ["customer 1"], "filter": 1}, "filter: Extra inputs"),
    ("/recommend", {"users": ["a"] * 257}, "users: List should have at most 256 items"),
    ("/history", {"items": [None]}, "items.0: Input should be a valid string"),
    ("/history", {"items": ["x"], "content_weight": 1.5}, "content_weight: Input should be less"),
    ("/history", {"items": ["x"], "content_weight": "1"}, "content_weight: Input should be a"),
    ("/similar", {"items": ["thing/1 é"], "by": "smell"}, "by must be one of 'behaviour', "),
    ("/explain", {"item": "thing/1 é"}, "for a user or for a history, one of both"),
    ("/items", {"title": ""}, "title: String should have at least 1 character"),
    ("/items", {"title": "x", "picture": "%%%"}, "picture must be base64"),
    ("/items", {"title": "x", "picture": "aGVsbG8="}, "picture must be a JPEG, PNG, WebP or GIF"),
]


@pytest.mark.parametrize(("path", "body", "message"), WRONG)
def test_wrong_requests_are_told_so(client, path, body, message):
    response = client.post(path, json=body)
    assert response.status_code == 422
    assert message in response.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b'{"users": ["\\ud800"], "k": NaN}',
        b'{"users": ["a"], "k": 1e999}',
        b'{"users": ["a"], "k": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"users": ["a\\u0000"]}',
    ],
)
def test_what_is_no_request_at_all(client, content):
    headers = {"content-type": "application/json"}
    response = client.post("/recommend", content=content, headers=headers)
    assert 400 <= response.status_code < 500
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=1e9", "offset=x", "limit=201"])
def test_pages_out_of_range(client, query):
    assert client.get(f"/items?{query}").status_code == 422


def test_addresses_that_are_none(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/recommend").status_code == 405
    assert client.delete("/items").status_code == 405


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("style.css", "parts.css", "shop.js", "cards.js", "thing.js", "trial.js"):
        part = client.get(f"/page/{name}")
        assert part.status_code == 200
        assert "//" not in part.text.replace("http://www.w3.org", "").replace("// ", "")
    assert client.get("/page/../app.py").status_code == 404


def test_many_at_once_get_what_each_gets_alone(address, shop):
    import asyncio

    users = list(shop.user_ids)
    expected = {user: list(shop.recommend(user, 5).ids) for user in users}

    async def run():
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            bodies = [{"users": [user], "k": 5} for user in users * 4]
            return await asyncio.gather(*(client.post("/recommend", json=b) for b in bodies))

    for user, response in zip(users * 4, asyncio.run(run()), strict=True):
        (result,) = json.loads(response.text)["results"]
        assert names(result["items"]) == expected[user]


@pytest.mark.parametrize("path", ["/history", "/similar"])
def test_what_waits_is_answered_with_one_product(app, address, shop, path, monkeypatch):
    import asyncio

    from crane_pyg.serving.scores import Scores

    sizes = []
    for name in ("__call__", "resemblance"):
        inner = getattr(Scores, name)

        def counted(self, rows, *more, _inner=inner):
            sizes.append(len(rows))
            return _inner(self, rows, *more)

        monkeypatch.setattr(Scores, name, counted)

    async def run():
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            bodies = [{"items": [name], "k": 5} for name in list(shop.item_ids) * 4]
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    asked = list(shop.item_ids) * 4
    answers = [response.json() for response in asyncio.run(run())]
    assert sum(sizes) == len(asked)
    assert len(sizes) < len(asked)
    for name, answer in zip(asked, answers, strict=True):
        if path == "/history":
            expected, found = shop.recommend_for_history([name], 5), answer["items"]
        else:
            expected, found = shop.similar_items(name, 5), answer["results"][0]["items"]
        assert names(found) == list(expected.ids)


def test_it_serves_by_an_index_where_there_is_one(shop_files, tmp_path):
    import shutil

    from crane_pyg.server import create_app

    with pytest.raises(ValueError, match="must hold an index"):
        create_app(shop_files / "model", index="faiss")
    pytest.importorskip("faiss")
    from crane_pyg.export.item_index import add_index

    shutil.copytree(shop_files / "model", tmp_path / "model")
    add_index(tmp_path / "model")
    app = create_app(tmp_path / "model", index="faiss")
    assert app.state.answers.shop.now.recommender.index is not None
    app.state.answers.reload_now()
    assert app.state.answers.shop.now.recommender.index is not None
