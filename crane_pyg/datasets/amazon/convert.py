"""From the original files of a category to a folder that any reader of this package takes."""

from pathlib import Path

import pandas as pd

from crane_pyg.choices import check_choice
from crane_pyg.datasets.amazon.categories import Category, find_category
from crane_pyg.datasets.amazon.image_features import WIDTH, copy_image_features
from crane_pyg.datasets.amazon.reviews import Reviews, read_reviews
from crane_pyg.datasets.amazon.texts import read_texts
from crane_pyg.datasets.columns import ITEM, LABEL, RATING, TIMESTAMP, USER
from crane_pyg.datasets.folder import check_out, whole_folder
from crane_pyg.datasets.npy import create_features, features_path
from crane_pyg.datasets.splits import DrawnSplit, label_interactions
from crane_pyg.datasets.writer import fill_folder
from crane_pyg.encoders import EncodedTexts, encode_texts

IMAGE, TEXT = "image", "text"


def convert_amazon(
    raw: str | Path,
    name: str,
    out: str | Path,
    *,
    split: DrawnSplit = "random",
    seed: int = 0,
    text_encoder: str = "auto",
    overwrite: bool = False,
) -> None:
    """Writes the data set of a category from its reviews, metadata and image features.

    Only the metadata and features of items that were reviewed are kept, and never is a whole file
    in memory. Users and items are numbered in the order of their ids (``users.csv``,
    ``items.csv``). Of several reviews of one item by one user the earliest counts. An item without
    an image or without any text has a row of zeros there, which says that it lacks the modality.

    Args:
        raw (str or Path): The folder of ``reviews_<Category>_5.json.gz``,
            ``meta_<Category>.json.gz`` and ``image_features_<Category>.b``.
        name (str): The category: ``'Baby'``, ``'Sports'``, ``'Clothing'``, ``'Electronics'`` or
            another as its files spell it.
        out (str or Path): The folder to write; all of it or nothing.
        split (str, optional): ``'random'``, ``'time'``, ``'last'`` or ``'cold'``, see
            :class:`~crane_pyg.datasets.MultimodalDataset`. (default: :obj:`'random'`)
        seed (int, optional): The seed of the random or cold split. (default: :obj:`0`)
        text_encoder (str, optional): The encoder that makes the text features, see
            :func:`~crane_pyg.encoders.encode_texts`. (default: :obj:`'auto'`)
        overwrite (bool, optional): Whether a data set in :obj:`out` may be replaced.
            (default: :obj:`False`)

    Raises:
        ValueError: naming the file and the line or record, for whatever is wrong there, or
            listing the files that are missing.
    """
    check_choice("split", split, DrawnSplit)
    raw, out, category = Path(raw), Path(out), find_category(name)
    missing = [file for file in category.files if not (raw / file).is_file()]
    if missing:
        raise ValueError(f"'{raw}' must hold {category.files} (got none of {missing})")
    check_out(out, overwrite=overwrite)

    originals = fingerprint(raw, category)
    reviews = read_reviews(raw / category.reviews)
    meta = read_texts(raw / category.meta, reviews.items)
    with whole_folder(out, overwrite=overwrite) as folder:
        images = create_features(features_path(folder, IMAGE), (len(reviews.items), WIDTH))
        repeated_images = copy_image_features(raw / category.image_features, reviews.items, images)
        del images  # what it maps counts as memory of this process
        encoded = _encode(raw / category.meta, meta.texts, text_encoder)
        fill_folder(
            folder,
            category.short,
            _table(reviews, split, seed),
            users=reviews.users,
            items=reviews.items,
            features={TEXT: encoded.features},
            metadata={
                "category": category.name,
                "originals": originals,
                "text_encoder": text_encoder,
                "split": split,
                "seed": seed,
                "encoders": {IMAGE: "amazon-2014", TEXT: encoded.encoder},
                "merged": {
                    "reviews": reviews.num_repeated,
                    "meta": meta.num_repeated,
                    "image_features": repeated_images,
                },
            },
        )


def fingerprint(raw: Path, category: Category) -> dict[str, list[int]]:
    """Size and time of change of each original file that is there."""
    found = {name: raw / name for name in category.files if (raw / name).is_file()}
    states = {name: path.stat() for name, path in found.items()}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()}


def _encode(path: Path, texts: list[str], encoder: str) -> EncodedTexts:
    if not any(texts):
        raise ValueError(f"'{path}' must have a text about an item (got {len(texts)} without)")
    return encode_texts(texts, encoder=encoder)


def _table(reviews: Reviews, split: DrawnSplit, seed: int) -> pd.DataFrame:
    user, item = reviews.pairs
    label = label_interactions(split, user, item, timestamp=reviews.time, seed=seed)
    known = {RATING: reviews.rating, TIMESTAMP: reviews.time}
    return pd.DataFrame({USER: user, ITEM: item, LABEL: label, **known})
