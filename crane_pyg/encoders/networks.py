"""Pretrained networks of timm, an optional package, that make vectors of pictures."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

TIMM = "timm/"
PREFERRED = TIMM + "vit_base_patch16_224.augreg2_in21k_ft_in1k"

_BATCH = 32


class ImageEncoder(NamedTuple):
    """Something that makes rows of features of pictures.

    Args:
        name (str): The name of the encoder.
        version (str): The version of the package that does the work.
        width (int): The width of a row.
        load (callable): Converts an RGB image of Pillow to what :obj:`encode` takes.
        encode (callable): Converts a list of those to a matrix of rows.
    """

    name: str
    version: str
    width: int
    load: Callable[[Any], Any]
    encode: Callable[[list[Any]], np.ndarray]


def local_network(name: str) -> ImageEncoder | None:
    """Loads a network if timm, able to run, and its weights are on this machine already.

    Args:
        name (str): See :func:`load_network`.
    """
    if find_spec("timm") is None:
        return None
    try:
        return load_network(name) if _is_here(name.removeprefix(TIMM)) else None
    except (ImportError, RuntimeError):  # built for another torch
        return None


def load_network(name: str) -> ImageEncoder:
    """Loads a network of timm without its last layer, on the GPU if there is one.

    Args:
        name (str): ``'timm/'`` and the name of a model.

    Raises:
        ValueError: if timm is not installed, or the network cannot be had.
    """
    if find_spec("timm") is None:
        raise ValueError(f"The image encoder {name!r} needs the package timm (got none)")
    try:
        model, transform = _load(name.removeprefix(TIMM))
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"The image encoder {name!r} cannot be loaded (got: {error})") from error
    return _encoder(name, model, transform)


def _encoder(
    name: str, model: "torch.nn.Module", transform: Callable[[Any], "torch.Tensor"]
) -> ImageEncoder:
    import torch
    from PIL import Image

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.eval().to(device)

    @torch.inference_mode()
    def encode(pictures: list["torch.Tensor"]) -> np.ndarray:
        starts = range(0, len(pictures), _BATCH)
        batches = [torch.stack(pictures[i : i + _BATCH]) for i in starts]
        return torch.cat([model(batch.to(device)).float().cpu() for batch in batches]).numpy()

    width = encode([transform(Image.new("RGB", (1, 1)))]).shape[1]
    return ImageEncoder(name, version("timm"), width, transform, encode)


def _is_here(model_name: str) -> bool:
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(model_name)
    if config is None or config.hf_hub_id is None:
        return False
    files = ("model.safetensors", "pytorch_model.bin")
    return any(isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in files)


def _load(model_name: str) -> tuple["torch.nn.Module", Callable[[Any], "torch.Tensor"]]:
    import timm

    model = timm.create_model(model_name, pretrained=True, num_classes=0)
    config = timm.data.resolve_model_data_config(model)
    return model, timm.data.create_transform(**config, is_training=False)
