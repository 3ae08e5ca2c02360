import base64
import io
from dataclasses import replace
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image

from crane_pyg.server import create_app
from crane_pyg.server import shop as shop_module
from crane_pyg.server.shop import Shop
from tests.server.conftest import listening


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(file, "PNG")
    return file.getvalue()


RED = picture((200, 40, 40))


@pytest.fixture
def own(shop_files):
    """A client of a server of its own, whose items a test may change."""
    app = create_app(shop_files / "model", pictures=shop_files / "pictures")
    with listening(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def add(client, **body):
    return client.post("/items", json=body)


def test_a_picture_and_a_text_are_ranked_at_once(own):
    encoded = base64.b64encode(RED).decode()
    response = add(own, title="red new thing", text="fire rose", picture=encoded)
    assert response.status_code == 201
    item = response.json()
    assert item["title"] == "red new thing"
    shown = own.get("/" + item["picture"])
    assert shown.content == RED
    assert shown.headers["content-type"] == "image/png"
    for by in ("image", "text", "content", "behaviour"):
        (found,) = own.post("/similar", json={"items": [item["id"]], "k": 6, "by": by}).json()[
            "results"
        ]
        assert {near["title"].split()[0] for near in found["items"]} == {"red"}
    liked = [each["id"] for each in own.get("/items?search=red").json()["items"][:2]]
    row = own.post("/history", json={"items": liked, "k": 100}).json()["items"]
    assert len(row) == 23  # all that are not liked, the new one among them
    place = [each["id"] for each in row].index(item["id"])
    assert place < 11  # before every blue thing
    assert own.get("/items?search=new").json()["total"] == 1
    health = own.get("/health").json()
    assert (health["items"], health["new_items"]) == (25, 1)
    explained = own.post("/explain", json={"history": liked, "item": item["id"]})
    assert explained.status_code == 200
    assert own.post("/history", json={"items": [item["id"]], "k": 3}).status_code == 200


def test_either_is_enough_and_nothing_is_not(own):
    assert add(own, title="red", text="").json()["picture"] is None
    encoded = base64.b64encode(RED).decode()
    assert add(own, title="unheard", picture=encoded).status_code == 201
    response = add(own, title="unheard words alone")
    assert response.status_code == 422
    assert response.json()["detail"] == (
        "none of these words occurs in this shop's titles and texts: try others, or add a picture "
        "(got 'unheard words alone')"
    )


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (("text",), r"try others \(got"),
        (("image",), "by their pictures: add one"),
        (("acoustic",), "a new item must have acoustic"),
    ],
)
def test_what_else_could_be_tried(shop_files, known, said):
    shop = Shop(shop_files / "model")
    shop.now = replace(shop.now, recommender=SimpleNamespace(modalities=known))
    with pytest.raises(ValueError, match=said):
        shop.try_item("unheard")


def test_what_is_no_picture(own):
    broken = base64.b64encode(RED[:40]).decode()
    response = add(own, title="red", picture=broken)
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert detail.startswith("There is no picture that can be read")
    assert "/tmp" not in detail
    assert own.get("/health").json()["new_items"] == 0


def test_a_reload_forgets_them(own):
    item = add(own, title="red thing").json()["id"]
    assert own.post("/reload").status_code == 200
    assert own.post("/history", json={"items": [item]}).status_code == 404
    assert own.get("/health").json()["items"] == 24


def test_there_may_be_so_many(own, monkeypatch):
    monkeypatch.setattr(shop_module, "MOST_NEW", 2)
    statuses = [add(own, title="red thing").status_code for _ in range(3)]
    assert statuses == [201, 201, 409]


def test_a_shop_whose_encoder_is_not_here(shop_files):
    shop = Shop(shop_files / "model")
    shop.now.encoder.encoders["image"] = "timm/vit_of_nobody-768"
    shop.now.encoder.encoders["text"] = "sentence-transformers/nothing"
    with pytest.raises(ValueError, match="which is not on this machine"):
        shop.try_item("red", "", RED)
    shop.now.encoder.encoders.pop("text")
    with pytest.raises(ValueError, match="'timm/vit_of_nobody', which is not on this machine"):
        shop.try_item("red", "", RED)


def test_it_is_encoded_as_the_others_were(shop_files):
    shop = Shop(shop_files / "model")
    kept = {name: np.load(shop_files / "data" / f"{name}_feat.npy") for name in ("image", "text")}
    number = shop.now.recommender.item_ids.index("thing/5 é")
    content = (shop_files / "pictures" / "5 #?.png").read_bytes()
    found = shop.now.encoder.encode("blue thing 5\nsea sky ink", content)
    for name, rows in kept.items():
        assert np.allclose(found[name], rows[number], atol=1e-5)
