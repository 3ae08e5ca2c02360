"""Encoding pictures as vectors."""

import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.encoders.cache import FeatureCache, digest
from crane_pyg.encoders.networks import (
    PREFERRED,
    TIMM,
    ImageEncoder,
    load_network,
    local_network,
)
from crane_pyg.limits import check_limit, existing_file

LIGHT = "colour-histogram+hog"

_BLOCK = 256
_SIDE = 64
_SHADES = 4


class EncodedImages(NamedTuple):
    """Features of pictures, the encoder that made them, and why some could not be read.

    Shapes: features :math:`(N, d)` in :obj:`float32`, zero everywhere without a picture.

    Examples:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from crane_pyg.encoders import encode_images
        >>> Image.new("RGB", (32, 32), "red").save("red.png")
        >>> paths = [Path("red.png"), None]
        >>> found = encode_images(paths, encoder="colour-histogram+hog", progress=False)
        >>> found.encoder, found.features.shape, found.unreadable
        ('colour-histogram+hog-580', (2, 580), {})
        >>> float(found.features[1].sum())  # of an item without a picture
        0.0
    """

    features: np.ndarray
    encoder: str
    unreadable: dict[int, str]


def encode_images(
    paths: Sequence[Path | None],
    *,
    encoder: str = "auto",
    cache: Path | None = None,
    progress: bool = True,
) -> EncodedImages:
    """Encodes each picture as a vector; an item without one, or with a broken one, gets zeros.

    ``'colour-histogram+hog'`` (needs Pillow and scikit-image) joins how often each of 64 colours
    occurs in each quarter of the picture, under a square root, with a histogram of oriented
    gradients of its shape on 64 by 64 pixels. It sees colours and outlines, not what they mean.
    ``'timm/NAME'`` is a pretrained network of timm without its last layer, on the GPU if there is
    one.

    Args:
        paths (sequence of Path or None): One picture per item.
        encoder (str, optional): ``'auto'`` is a ViT-B/16 of timm where both the package and the
            weights are on this machine already, else the light one. A named encoder runs or
            raises. (default: :obj:`'auto'`)
        cache (Path, optional): A folder that keeps what was encoded, by content, to go on where
            a run was killed. (default: :obj:`None`)
        progress (bool, optional): Whether to show how far it is. (default: :obj:`True`)

    Raises:
        ValueError: if no picture can be read, or :obj:`encoder` cannot run here.
    """
    chosen = _choose(encoder)
    unreadable: dict[int, str] = {}
    filled, keys = [], []
    for i, path in enumerate(paths):
        if path is not None:
            try:
                keys.append(digest(_read(path)))
                filled.append(i)
            except (OSError, ValueError) as error:
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
        rows = np.full((len(block), chosen.width), np.nan, dtype=np.float32)
        if good:
            rows[good] = chosen.encode(loaded)
        return rows

    features = np.zeros((len(paths), chosen.width), dtype=np.float32)
    if keys:
        kept = FeatureCache(cache, f"{chosen.name} {chosen.version}")
        title = f"images, {chosen.name}" if progress else None
        rows = kept.rows(keys, encode, block=_BLOCK, title=title)
        features[filled] = np.nan_to_num(rows, copy=False, nan=0.0)
        unreadable |= {i: broken[key] for i, key in zip(filled, keys) if key in broken}
    if not features.any():
        reason = f"for example {next(iter(unreadable.values()))}" if unreadable else "no pictures"
        raise ValueError(f"There is no picture that can be read (got {reason})")
    return EncodedImages(features, f"{chosen.name}-{chosen.width}", unreadable)


def _read(path: Path) -> bytes:
    check_limit("PICTURE", existing_file(path).stat().st_size, f"'{path}': bytes of a picture")
    return path.read_bytes()


def _open(path: Path, load: Callable[[Any], Any]) -> Any:
    """Loads a picture, on white where it is transparent."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            check_limit("PIXELS", image.width * image.height, f"'{path}': pixels")
            if image.has_transparency_data:
                rgba = image.convert("RGBA")
                white = Image.new("RGBA", rgba.size, "white")
                return load(Image.alpha_composite(white, rgba).convert("RGB"))
            return load(image.convert("RGB"))


def _choose(name: str) -> ImageEncoder:
    if name == "auto":
        return local_network(PREFERRED) or _light()
    if name == LIGHT:
        return _light()
    if name.startswith(TIMM):
        return load_network(name)
    raise ValueError(f"The image encoder must be 'auto', '{LIGHT}' or '{TIMM}NAME' (got {name!r})")


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

    width = encode([load(Image.new("RGB", (1, 1)))]).shape[1]
    return ImageEncoder(LIGHT, f"scikit-image {version('scikit-image')}", width, load, encode)


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
