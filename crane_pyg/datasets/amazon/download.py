"""Getting the original files of Amazon 2014 from where they are public."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from tqdm import tqdm

from crane_pyg.datasets.amazon.categories import Category
from crane_pyg.files import write_atomically

SNAP = "https://snap.stanford.edu/data/amazon/productGraph"
UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon"
TIMEOUT = 30.0

_BLOCK = 2**20


class Source(NamedTuple):
    """Where a file is public, and its digest; neither mirror publishes any."""

    urls: tuple[str, ...]
    sha256: str | None = None


def sources(category: Category) -> dict[str, Source]:
    """Returns where each original file of a category is, by its name."""
    reviews, meta, images = category.files
    return {
        name: Source((f"{SNAP}/categoryFiles/{name}", f"{UCSD}/categoryFiles/{name}"))
        for name in (reviews, meta)
    } | {images: Source((f"{SNAP}/image_features/categoryFiles/{images}",))}


def download_originals(
    category: Category, raw: Path, *, sha256: Mapping[str, str] | None = None
) -> None:
    """Downloads what :obj:`raw` lacks of a category's original files.

    A file has its name when it is complete, and not before. It is compared with the digest that
    is known of it; without one, only its length is checked.

    Args:
        category (Category): The category.
        raw (Path): The folder to download to.
        sha256 (dict, optional): Expected digests by the names of files. (default: :obj:`None`)

    Raises:
        ValueError: listing the files to put there by hand and where each is, if no mirror gives
            a file as it should be.
    """
    known = sources(category)
    for name in sha256 or {}:
        if name not in known:
            raise ValueError(f"`sha256` must name files among {list(known)} (got {name!r})")
    missing = [name for name in known if not (raw / name).is_file()]
    for done, name in enumerate(missing):
        digest = (sha256 or {}).get(name, known[name].sha256)
        reasons = []
        for url in known[name].urls:
            try:
                write_atomically(raw / name, partial(_fetch, url, name, digest))
                break
            except (OSError, ValueError) as error:
                reasons.append(f"{url}: {error}")
        else:
            wanted = [f"{each} (from {' or '.join(known[each].urls)})" for each in missing[done:]]
            raise ValueError(
                f"No mirror gave '{name}' ({'; '.join(reasons)}). Put into '{raw}': "
                f"{', '.join(wanted)}"
            )


def _fetch(url: str, name: str, sha256: str | None, path: Path) -> None:
    total = hashlib.sha256()
    with path.open("wb") as file, urlopen(url, timeout=TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        size = None if length is None else int(length)
        with tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=None) as bar:
            while block := answer.read(_BLOCK):
                total.update(block)
                bar.update(file.write(block))
        if size is not None and file.tell() != size:
            raise ValueError(f"must have {size:,} bytes (got {file.tell():,})")
    if sha256 is not None and total.hexdigest() != sha256.lower():
        raise ValueError(f"must have the sha256 {sha256} (got {total.hexdigest()})")
