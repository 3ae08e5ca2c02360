import numpy as np
import pytest
from PIL import Image

from crane_pyg.encoders.image import LIGHT, encode_images


@pytest.fixture
def pictures(tmp_path):
    """Red and blue squares, stripes in two directions, on white where they are transparent."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::8] = stripes[1::8] = stripes[2::8] = stripes[3::8] = 255
    made = {
        "red": Image.new("RGB", (9, 30), "red"),
        "rose": Image.new("RGB", (50, 20), (240, 10, 10)),
        "blue": Image.new("RGB", (64, 64), "blue"),
        "lying": Image.fromarray(stripes),
        "standing": Image.fromarray(stripes.swapaxes(0, 1).copy()),
        "nothing": Image.new("RGBA", (5, 5), (0, 0, 0, 0)),
        "white": Image.new("L", (5, 5), 255),
    }
    for name, picture in made.items():
        picture.save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in made}


def test_light_encoder_sees_colours_and_outlines(pictures):
    features, encoder, unreadable = encode_images(list(pictures.values()), encoder=LIGHT)
    row = dict(zip(pictures, features.astype(np.float64)))
    assert encoder == f"{LIGHT}-{features.shape[1]}"
    assert features.dtype == np.float32
    assert unreadable == {}
    assert row["red"] @ row["rose"] > row["red"] @ row["blue"] + 0.5
    assert np.allclose(row["nothing"], row["white"])
    assert np.linalg.norm(row["red"]) == pytest.approx(1)
    assert np.linalg.norm(row["lying"]) == pytest.approx(np.sqrt(2))
    colours = 4 * 64
    assert np.allclose(row["lying"][:colours], row["standing"][:colours], atol=0.05)
    assert row["lying"][colours:] @ row["standing"][colours:] < 0.2


def test_who_has_no_picture_gets_zeros(pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures["lying"].read_bytes()[:60])
    paths = [broken, None, pictures["red"], tmp_path / "missing.png"]
    features, _, unreadable = encode_images(paths, encoder=LIGHT)
    assert features.any(axis=1).tolist() == [False, False, True, False]
    assert set(unreadable) == {0, 3}
    assert "must be a file" in unreadable[3]


def test_a_picture_that_would_fill_the_memory_is_not_read(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    _, _, unreadable = encode_images([pictures["red"], pictures["blue"]], encoder=LIGHT)
    assert list(unreadable) == [1]
    assert "DecompressionBomb" in unreadable[1]


def test_pictures_are_encoded_once(pictures, tmp_path, monkeypatch):
    cache, paths = tmp_path / "cache", list(pictures.values())
    first = encode_images(paths[:4], encoder=LIGHT, cache=cache)
    opened = []
    read = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or read(path))
    again = encode_images([*paths[3::-1], paths[5]], encoder=LIGHT, cache=cache)
    assert opened == [paths[5]]
    assert np.array_equal(again.features[3::-1], first.features)


def test_errors(pictures):
    with pytest.raises(ValueError, match=r"or 'timm/NAME' \(got 'jam'\)"):
        encode_images([pictures["red"]], encoder="jam")
    with pytest.raises(ValueError, match=r"can be read \(got no pictures\)"):
        encode_images([None, None], encoder=LIGHT)
