"""Pretrained networks that make vectors of pictures; each package is optional."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

TIMM, TORCHVISION = "timm/", "torchvision/"
PREFERRED = (TIMM + "vit_base_patch16_224.augreg2_in21k_ft_in1k", TORCHVISION + "resnet50")

_BATCH = 32


class ImageEncoder(NamedTuple):
    """What makes rows of pictures.

    Args:
        name (str): Its name.
        version (str): Of the package that does the work.
        width (int): Of a row.
        load (callable): Makes an RGB image of Pillow what :obj:`encode` takes.
        encode (callable): Makes a list of those a matrix of rows.
    """

    name: str
    version: str
    width: int
    load: Callable[[Any], Any]
    encode: Callable[[list[Any]], np.ndarray]


def local_network(name: str) -> ImageEncoder | None:
    """Loads a network if its package, able to run, and its weights are on this machine already."""
    kind, _, model_name = name.partition("/")
    if find_spec(kind) is None:
        return None
    is_here = _timm_is_here if kind == "timm" else _torchvision_is_here
    try:
        return load_network(name) if is_here(model_name) else None
    except (ImportError, RuntimeError):  # built for another torch
        return None


def load_network(name: str) -> ImageEncoder:
    """Loads a network by its name, on the GPU if there is one.

    Raises:
        ValueError: if its package is not installed, or it cannot be had.
    """
    kind, _, model_name = name.partition("/")
    if find_spec(kind) is None:
        raise ValueError(f"The image encoder {name!r} needs the package {kind} (got none)")
    try:
        model, transform = (_timm if kind == "timm" else _torchvision)(model_name)
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"The image encoder {name!r} cannot be loaded (got: {error})") from error
    return _encoder(name, version(kind), model, transform)


def _encoder(
    name: str, of: str, model: torch.nn.Module, transform: Callable[[Any], Any]
) -> ImageEncoder:
    from PIL import Image

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.eval().to(device)

    @torch.inference_mode()
    def encode(pictures: list[torch.Tensor]) -> np.ndarray:
        starts = range(0, len(pictures), _BATCH)
        batches = [torch.stack(pictures[i : i + _BATCH]) for i in starts]
        return torch.cat([model(batch.to(device)).float().cpu() for batch in batches]).numpy()

    width = encode([transform(Image.new("RGB", (1, 1)))]).shape[1]
    return ImageEncoder(name, of, width, transform, encode)


def _timm_is_here(model_name: str) -> bool:
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(model_name)
    if config is None or config.hf_hub_id is None:
        return False
    files = ("model.safetensors", "pytorch_model.bin")
    return any(isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in files)


def _timm(model_name: str) -> tuple[torch.nn.Module, Callable[[Any], Any]]:
    import timm

    model = timm.create_model(model_name, pretrained=True, num_classes=0)
    config = timm.data.resolve_model_data_config(model)
    return model, timm.data.create_transform(**config, is_training=False)


def _torchvision_is_here(model_name: str) -> bool:
    from torchvision.models import get_model_weights

    url = get_model_weights(model_name).DEFAULT.url
    return Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2]).is_file()


def _torchvision(model_name: str) -> tuple[torch.nn.Module, Callable[[Any], Any]]:
    from torchvision.models import get_model, get_model_weights

    weights = get_model_weights(model_name).DEFAULT
    model = get_model(model_name, weights=weights)
    last = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    parent, _, child = last[-1].rpartition(".")
    setattr(model.get_submodule(parent), child, torch.nn.Identity())
    return model, weights.transforms()
