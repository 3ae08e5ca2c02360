"""Pictures as vectors."""

import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from crane_pyg.datasets.preparation.cache import FeatureCache, digest

LIGHT = "colour-histogram+hog"
TIMM, TORCHVISION = "timm/", "torchvision/"
PREFERRED = (TIMM + "vit_base_patch16_224.augreg2_in21k_ft_in1k", TORCHVISION + "resnet50")

_BLOCK = 256
_SIDE = 64
_SHADES = 4


class EncodedImages(NamedTuple):
    """Rows of features, the name of what made them, and why some pictures could not be read.

    Shapes: features :math:`(N, d)` in :obj:`float32`, zero everywhere without a picture.
    """

    features: np.ndarray
    encoder: str
    unreadable: dict[int, str]


class ImageEncoder(NamedTuple):
    """What turns pictures into rows, and its name with everything that changes them.

    ``load`` makes one picture an array, ``encode`` makes a batch of those rows.
    """

    name: str
    load: Callable[[Any], Any]
    encode: Callable[[list[Any]], np.ndarray]
    version: str


def encode_images(
    paths: Sequence[Path | None], *, encoder: str = "auto", cache: Path | None = None
) -> EncodedImages:
    """Encodes each picture as a vector; an item without one, or with a broken one, gets zeros.

    ``'colour-histogram+hog'`` (needs Pillow and scikit-image) joins how often each of 64 colours
    occurs in each quarter of the picture, under a square root, with a histogram of oriented
    gradients of its shape on 64 by 64 pixels. It sees colours and outlines, not what they mean.
    ``'timm/NAME'`` and ``'torchvision/NAME'`` are pretrained networks without their last layer,
    on the GPU if there is one.

    Args:
        paths (sequence of Path or None): One picture per item.
        encoder (str, optional): ``'auto'`` is the first of a ViT-B/16 of timm and torchvision's
            ResNet-50 whose package and weights are on this machine already, else the light one. A
            named encoder runs or raises. (default: :obj:`'auto'`)
        cache (Path, optional): A folder that keeps what was encoded, by content, to go on where
            a run was killed. (default: :obj:`None`)

    Raises:
        ValueError: if no picture can be read, or :obj:`encoder` cannot run here.
    """
    chosen = _choose(encoder)
    unreadable: dict[int, str] = {}
    filled, keys = [], []
    for i, path in enumerate(paths):
        if path is not None:
            try:
                keys.append(digest(path.read_bytes()))
                filled.append(i)
            except OSError as error:
                unreadable[i] = str(error)
    broken: dict[bytes, str] = {}

    def encode(block: list[int]) -> np.ndarray:
        loaded, good = [], []
        for position, k in enumerate(block):
            picture = paths[filled[k]]
            assert picture is not None
            try:
                loaded.append(_open(picture, chosen.load))
                good.append(position)
            except Exception as error:  # whatever a decoder raises on what is no picture
                broken[keys[k]] = f"{type(error).__name__}: {error}"
        made = chosen.encode(loaded) if loaded else np.zeros((0, 1), np.float32)
        rows = np.full((len(block), made.shape[1]), np.nan, dtype=np.float32)
        rows[good] = made
        return rows

    if not keys:
        raise ValueError(f"There is no picture to encode (got {len(paths)} items without one)")
    kept = FeatureCache(cache, f"{chosen.name} {chosen.version}")
    rows = kept.rows(keys, encode, block=_BLOCK, title=f"images, {chosen.name}")
    unreadable |= {i: broken[key] for i, key in zip(filled, keys) if key in broken}
    if len(unreadable) == len(filled):
        first = min(unreadable)
        raise ValueError(
            f"'{paths[first]}' must be a picture, and so must the others: none of "
            f"{len(unreadable):,} can be read (got {unreadable[first]})"
        )
    features = np.zeros((len(paths), rows.shape[1]), dtype=np.float32)
    features[filled] = np.nan_to_num(rows, copy=False, nan=0.0)
    return EncodedImages(features, f"{chosen.name}-{rows.shape[1]}", unreadable)


def _open(path: Path, load: Callable[[Any], Any]) -> Any:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return load(Image.alpha_composite(white, rgba).convert("RGB"))


def _choose(name: str) -> ImageEncoder:
    if name == "auto":
        for preferred in PREFERRED:
            if (local := _network(preferred, local=True)) is not None:
                return local
        name = LIGHT
    if name == LIGHT:
        return _light()
    if name.startswith((TIMM, TORCHVISION)):
        network = _network(name, local=False)
        assert network is not None
        return network
    raise ValueError(
        f"The image encoder must be 'auto', '{LIGHT}', '{TIMM}NAME' or '{TORCHVISION}NAME' "
        f"(got {name!r})"
    )


def _light() -> ImageEncoder:
    try:
        from PIL import Image
        from skimage.feature import hog
    except ImportError as error:
        raise ValueError(
            f"The image encoder '{LIGHT}' needs Pillow and scikit-image: pip install "
            f"'crane-pyg[prepare]' (got no {error.name})"
        ) from error

    def load(image: Any) -> np.ndarray:
        return np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))

    def encode(batch: list[np.ndarray]) -> np.ndarray:
        shapes = [
            hog(x @ _LUMA, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
            for x in batch
        ]
        return np.concatenate([_colours(np.stack(batch)), _unit(np.stack(shapes))], axis=1)

    return ImageEncoder(LIGHT, load, encode, f"scikit-image {version('scikit-image')}")


_LUMA = np.array([0.299, 0.587, 0.114]) / 255


def _colours(x: np.ndarray) -> np.ndarray:
    """Shapes: pictures (B, 64, 64, 3) of bytes to histograms (B, 4 * 64) of unit length."""
    shade = x.astype(np.int64) * _SHADES // 256
    colour = (shade[..., 0] * _SHADES + shade[..., 1]) * _SHADES + shade[..., 2]
    half = np.arange(_SIDE) * 2 // _SIDE
    quarter = half[:, None] * 2 + half  # [64, 64]
    num_bins = 4 * _SHADES**3
    bins = np.arange(len(x))[:, None, None] * num_bins + quarter * _SHADES**3 + colour
    count = np.bincount(bins.ravel(), minlength=len(x) * num_bins).reshape(len(x), num_bins)
    return _unit(np.sqrt(count))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _network(name: str, *, local: bool) -> ImageEncoder | None:
    """A pretrained network; with :obj:`local`, :obj:`None` where anything of it is missing."""
    kind, _, model_name = name.partition("/")
    if find_spec(kind) is None:
        if local:
            return None
        raise ValueError(f"The image encoder {name!r} needs the package {kind} (got none)")
    if local and not (_timm_is_here if kind == "timm" else _torchvision_is_here)(model_name):
        return None
    try:
        build = _timm if kind == "timm" else _torchvision
        model, transform = build(model_name)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"The image encoder {name!r} cannot be loaded (got: {error})") from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.eval().to(device)

    @torch.inference_mode()
    def encode(batch: list[torch.Tensor]) -> np.ndarray:
        parts = [model(torch.stack(batch[i : i + 32]).to(device)) for i in range(0, len(batch), 32)]
        return torch.cat(parts).float().cpu().numpy()

    return ImageEncoder(name, transform, encode, f"{kind} {version(kind)}")


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
