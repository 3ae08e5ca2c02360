"""Features of items that come after a data set was prepared, from their texts and pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crane_pyg.datasets.columns import Role
from crane_pyg.datasets.tables import open_table
from crane_pyg.encoders.later_items import LaterItemEncoder
from crane_pyg.preparation.catalogue import read_catalogue
from crane_pyg.preparation.column_choice import choose_column, choose_texts
from crane_pyg.preparation.pictures import pictures_by_column, pictures_by_id


def encode_later_items(
    path: Path, items: Sequence[str], encoder: LaterItemEncoder, images: Path | None = None
) -> list[dict[str, np.ndarray]]:
    """Encode items as those of the data set were.

    Args:
        path: table of items with columns of texts and pictures, as ``prepare`` takes it.
        items: ids of those that are asked for; one without a row has nothing.
        encoder: of the data set.
        images: folder of pictures, by the table's column of them or else by id. (default: none)

    Returns:
        For each item its features by modality, ``[d]`` each.

    Raises:
        ValueError: naming file, line and column, if the table or a picture cannot be read, or an
            encoder cannot run here.
    """
    table = open_table(path)
    item = choose_column(table, Role.ITEM, None, needed=True, option="--items")
    image = choose_column(table, Role.IMAGE, None, needed=False, option="--items")
    catalogue = read_catalogue(
        table,
        {name: number for number, name in enumerate(items)},
        item=str(item),
        texts=choose_texts(table, None, option="--items"),
        image=image,
    )
    pictures: Sequence[Path | None] = [None] * len(items)
    if images is not None and image is not None:
        pictures = pictures_by_column(images, catalogue, table, image)
    elif images is not None:
        pictures = pictures_by_id(images, items)
    contents = [path.read_bytes() if path and path.is_file() else None for path in pictures]
    return [*map(encoder.encode, catalogue.texts, contents)]
