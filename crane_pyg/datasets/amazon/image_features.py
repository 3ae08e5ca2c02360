"""What the items look like, from ``image_features_<Category>.b``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

WIDTH = 4096
RECORD = np.dtype([("asin", "S10"), ("x", "<f4", WIDTH)])

_BLOCK = 256
_IS_ALNUM = np.array([code < 128 and chr(code).isalnum() for code in range(256)])


def copy_image_features(path: Path, items: Sequence[str], out: np.ndarray) -> int:
    """Copies the features of :obj:`items` into rows of :obj:`out`, a block of records at a time.

    What belongs to other items is not looked at. Of an item's records all must be the same.

    Args:
        path (Path): A file of records: ten bytes of ASIN and 4096 numbers in single precision,
            little-endian.
        items (sequence of str): The ASINs, sorted.
        out (np.ndarray): Zeros, in memory or mapped to a file.

    Shapes:
        - **out:** :math:`(N, 4096)`
        - **output:** how many records repeat another

    Raises:
        ValueError: naming the file and the record, counted from 1, if the file is cut off, an
            ASIN is not one, a value is NaN or infinite, an item has two different records, or
            none of the items has any.
    """
    size = path.stat().st_size
    num_records, excess = divmod(size, RECORD.itemsize)
    if excess or not size:
        raise ValueError(
            f"'{path}', record {num_records + 1}: must have {RECORD.itemsize:,} bytes "
            f"(got {excess:,}, of a file of {size:,})"
        )
    known = np.array(items, dtype="S10")
    found = np.zeros(len(items), dtype=bool)
    num_repeated = 0
    with (
        path.open("rb") as file,
        tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for first in range(0, num_records, _BLOCK):
            block = np.fromfile(file, RECORD, _BLOCK)
            _check_asins(path, first, block["asin"])
            place = np.minimum(np.searchsorted(known, block["asin"]), len(known) - 1)
            wanted = np.flatnonzero(known[place] == block["asin"])
            rows, record = block["x"][wanted], first + wanted + 1
            _check_finite(path, record, rows)
            for item, number, row in zip(place[wanted].tolist(), record.tolist(), rows):
                if not found[item]:
                    out[item] = row
                    found[item] = True
                elif np.array_equal(out[item], row):
                    num_repeated += 1
                else:
                    raise ValueError(
                        f"'{path}', record {number}: an item must not have records of different "
                        f"values (got {items[item]} again)"
                    )
            bar.update(block.nbytes)
    if not found.any():
        raise ValueError(
            f"'{path}' must hold features of items that were reviewed (got none of "
            f"{len(items):,} in {num_records:,} records)"
        )
    return num_repeated


def _check_asins(path: Path, first: int, asins: np.ndarray) -> None:
    codes = np.frombuffer(asins.tobytes(), dtype=np.uint8).reshape(len(asins), -1)
    is_asin = _IS_ALNUM[codes].all(axis=1)
    if not is_asin.all():
        record = int(is_asin.argmin())
        raise ValueError(
            f"'{path}', record {first + record + 1}: must begin with an ASIN, ten ASCII letters "
            f"and digits (got {codes[record].tobytes()!r})"
        )


def _check_finite(path: Path, record: np.ndarray, rows: np.ndarray) -> None:
    finite = np.isfinite(rows)
    if not finite.all():
        row, column = divmod(int(finite.argmin()), WIDTH)
        raise ValueError(
            f"'{path}', record {record[row]}, number {column}: must be finite "
            f"(got {rows[row, column]})"
        )
