import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from crane_pyg.encoders import encode_images, networks
from crane_pyg.encoders.image import LIGHT


@pytest.fixture
def pictures(tmp_path):
    for colour in ("red", "blue"):
        Image.new("RGB", (9, 30), colour).save(tmp_path / f"{colour}.png")
    return {colour: tmp_path / f"{colour}.png" for colour in ("red", "blue")}


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


def test_a_network_needs_timm(pictures, monkeypatch):
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'timm/jam' needs the package timm \(got none\)"):
        encode_images([pictures["red"]], encoder="timm/jam")
    assert encode_images([pictures["red"]]).encoder.startswith(LIGHT)
