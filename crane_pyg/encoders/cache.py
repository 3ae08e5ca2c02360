"""A cache of features, kept by the content that they were made of."""

import hashlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from crane_pyg.files import write_atomically

BLOCK = 1024

_BETWEEN = 10.0  # seconds between two lines

_DIGEST = np.dtype("V16")


def digest(*parts: bytes) -> bytes:
    """Returns sixteen bytes that stand for :obj:`parts` in their order."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()[:16]


class FeatureCache:
    """The cache of one encoder: a folder with a file of digests and rows for every block encoded.

    A file is complete or not there, so a process that is killed loses one block at most. Files that
    cannot be read are passed over, and their rows are encoded again.

    Args:
        folder (Path or None): The folder of all encoders; :obj:`None` keeps nothing.
        encoder (str): The encoder's name, with everything that changes what it makes.
    """

    def __init__(self, folder: Path | None, encoder: str) -> None:
        self.folder = None if folder is None else folder / digest(encoder.encode()).hex()

    def rows(
        self,
        keys: Sequence[bytes],
        encode: Callable[[list[int]], np.ndarray],
        *,
        block: int = BLOCK,
        title: str | None = None,
    ) -> np.ndarray:
        """Returns a row for each key, encoding only what is not kept yet, each key once.

        Args:
            keys: The :func:`digest` of each input, at least one.
            encode: Called with positions in :obj:`keys`, at most :obj:`block` at a time; returns
                their rows. A row with a NaN is returned but not kept.
            block (int, optional): Inputs between two files. (default: :obj:`1024`)
            title (str, optional): What is encoded, to show how far it is: a bar on a terminal,
                elsewhere a line every ten seconds; nothing is shown without.
                (default: :obj:`None`)

        Shapes:
            - **output:** :math:`(N, d)` in :obj:`float32`
        """
        wanted, first, inverse = np.unique(
            np.frombuffer(b"".join(keys), _DIGEST), return_index=True, return_inverse=True
        )
        found = np.zeros(len(wanted), dtype=bool)
        out = self._read(wanted, found)
        missing = np.flatnonzero(~found)
        missing = missing[np.argsort(first[missing])]  # in the order given
        for start in _shown(range(0, len(missing), block), title):
            part = missing[start : start + block]
            made = np.asarray(encode(first[part].tolist()), dtype=np.float32)
            if out is None:
                out = np.zeros((len(wanted), made.shape[1]), dtype=np.float32)
            out[part] = made
            good = ~np.isnan(made).any(axis=1)
            if good.any():
                self._write(wanted[part[good]], made[good])
        assert out is not None
        return out if np.array_equal(inverse, np.arange(len(out))) else out[inverse]

    def _read(self, wanted: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        out = None
        for path in sorted(self.folder.glob("*.npz")) if self.folder is not None else []:
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                    keys = kept["keys"].view(_DIGEST).ravel()
                    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
                    here = wanted[at] == keys
                    rows = kept["rows"][here] if here.any() else None
            except (ValueError, OSError, EOFError, KeyError, BadZipFile, zlib.error):
                continue
            if rows is not None:
                if out is None:
                    out = np.zeros((len(wanted), rows.shape[1]), dtype=np.float32)
                out[at[here]] = rows
                found[at[here]] = True
        return out

    def _write(self, keys: np.ndarray, rows: np.ndarray) -> None:
        if self.folder is None:
            return

        def save(aside: Path) -> None:
            with aside.open("wb") as file:  # given a path, savez would add its own ending
                np.savez(file, keys=keys.view(np.uint8).reshape(len(keys), -1), rows=rows)

        write_atomically(self.folder / f"{digest(keys.tobytes()).hex()}.npz", save)


def _shown(starts: range, title: str | None) -> Iterator[int]:
    """Yields the starts of blocks, and tells a person how many there have been."""
    if title is None or sys.stderr.isatty():
        yield from tqdm(starts, title, disable=title is None, unit="block")
        return
    begin = told = time.monotonic()
    for done, start in enumerate(starts):
        now = time.monotonic()
        if now - told >= _BETWEEN:
            left = tqdm.format_interval((now - begin) / done * (len(starts) - done))
            print(f"{title}: {done} of {len(starts)} blocks, {left} left", file=sys.stderr)
            told = now
        yield start
