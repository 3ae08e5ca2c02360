"""Vectors as parquet, for whoever keeps them in a database of their own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crane_pyg.files import write_atomically
from crane_pyg.serving import Recommender


def write_vectors(artefact: Path | str) -> list[Path]:
    """Write ``users.parquet`` and ``items.parquet`` beside the arrays of an artefact: the columns
    ``id`` and ``vector`` and, of items, ``title`` where there are titles.

    The inner product of a user's and an item's vector is what the model's embeddings say: of length
    one, where they are compared by the cosine. What is mixed in by a residual is not in them.

    Args:
        artefact: its folder.

    Returns:
        the files.

    Raises:
        ValueError: if the model has no vectors whose inner product is its score, or pyarrow is not
            installed.
    """
    shop = Recommender.load(artefact, verify=False)
    vectors = shop.tables.vectors
    if vectors is None or vectors.similarity == "logaddexp":
        raise ValueError(f"'{artefact}' must hold vectors that are compared by inner products")
    folder = Path(artefact)
    _write(folder / "users.parquet", shop.user_ids, vectors.user, None)
    _write(folder / "items.parquet", shop.item_ids, vectors.item, shop.titles)
    return [folder / "users.parquet", folder / "items.parquet"]


def _write(
    path: Path, ids: Sequence[str], vectors: np.ndarray, titles: Sequence[str] | None
) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError("vectors as parquet need pyarrow: pip install pyarrow") from error
    flat = pyarrow.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    columns = {
        "id": pyarrow.array(list(ids)),
        "vector": pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    if titles is not None:
        columns["title"] = pyarrow.array(list(titles))
    table = pyarrow.table(columns)
    write_atomically(path, lambda aside: pyarrow.parquet.write_table(table, aside))
