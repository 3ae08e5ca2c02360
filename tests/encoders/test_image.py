import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from crane_pyg.encoders import image, networks
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
    assert "No such file" in unreadable[3]


def test_a_picture_that_would_fill_the_memory_is_not_read(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    _, _, unreadable = encode_images([pictures["red"], pictures["blue"]], encoder=LIGHT)
    assert list(unreadable) == [1]
    assert "DecompressionBomb" in unreadable[1]


def test_pictures_are_encoded_once(pictures, tmp_path, monkeypatch):
    cache, paths = tmp_path / "cache", list(pictures.values())
    first = encode_images(paths[:4], encoder=LIGHT, cache=cache)
    opened = []
    read = image._open
    monkeypatch.setattr(image, "_open", lambda path, load: opened.append(path) or read(path, load))
    again = encode_images([*paths[3::-1], paths[5]], encoder=LIGHT, cache=cache)
    assert opened == [paths[5]]
    assert np.array_equal(again.features[3::-1], first.features)


@pytest.fixture
def timm(monkeypatch):
    """A package timm whose models give the mean of each channel; the weights of all are here."""

    class Mean(torch.nn.Module):
        def forward(self, x):
            assert not self.training
            return x.mean((2, 3))

    def create_model(name, pretrained, num_classes):
        assert pretrained
        assert num_classes == 0
        if name == "jam":
            raise RuntimeError("Unknown model")
        return Mean()

    def transform(picture):
        return torch.from_numpy(np.array(picture.resize((4, 4)))).permute(2, 0, 1) / 255

    timm = ModuleType("timm")
    timm.__spec__ = ModuleSpec("timm", None)
    timm.create_model = create_model
    timm.get_pretrained_cfg = lambda name: SimpleNamespace(hf_hub_id=f"timm/{name}")
    timm.data = SimpleNamespace(
        resolve_model_data_config=lambda model: {},
        create_transform=lambda is_training: transform,
    )
    hub = ModuleType("huggingface_hub")
    hub.kept = {"model.safetensors"}
    hub.try_to_load_from_cache = lambda repo, file: file if file in hub.kept else None
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(networks, "version", {"timm": "1"}.__getitem__)
    return hub


def test_auto_takes_a_network_where_its_weights_are_here(pictures, timm):
    features, encoder, _ = encode_images([pictures["red"], None, pictures["blue"]])
    assert encoder == f"{networks.PREFERRED}-3"
    assert features.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    timm.kept = {"pytorch_model.bin"}
    assert encode_images([pictures["red"]]).encoder.startswith("timm/")
    timm.kept = set()
    assert encode_images([pictures["red"]]).encoder.startswith(LIGHT)


@pytest.mark.usefixtures("timm")
def test_a_network_that_is_named_runs_or_raises(pictures):
    assert encode_images([pictures["red"]], encoder="timm/resnet50").encoder == "timm/resnet50-3"
    with pytest.raises(ValueError, match=r"'timm/jam' cannot be loaded \(got: Unknown model\)"):
        encode_images([pictures["red"]], encoder="timm/jam")


def test_errors(pictures, monkeypatch):
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"or 'timm/NAME' \(got 'jam'\)"):
        encode_images([pictures["red"]], encoder="jam")
    with pytest.raises(ValueError, match=r"'timm/jam' needs the package timm \(got none\)"):
        encode_images([pictures["red"]], encoder="timm/jam")
    with pytest.raises(ValueError, match=r"can be read \(got no pictures\)"):
        encode_images([None, None], encoder=LIGHT)
