"""Files in exactly the formats of Amazon 2014, and what a data set of them holds."""

import gzip

import numpy as np

from benchmarks.amazon_raw import write_image_features, write_lines
from crane_pyg.datasets.amazon import image_features
from crane_pyg.datasets.amazon.categories import find_category
from crane_pyg.schema import USER_TO_ITEM

REVIEWS, META, IMAGES = find_category("baby").files
RECORD = image_features.RECORD


def asin(item):
    return f"B{item:09d}"


def review(user, item, time=0, rating=5.0):
    return {
        "reviewerID": f"A{user:03d}",
        "asin": asin(item),
        "reviewText": "Lovely, 'soft' and \"warm\"; ünïcode.\n",
        "overall": rating,
        "unixReviewTime": time,
    }


def about(item, **more):
    return {
        "asin": asin(item),
        "title": f'Blanket &amp; no {item}\'s "best"',
        "brand": "Cosy",
        "categories": [["Baby", "Bedding"], ["Baby", "Gifts"]],
        "description": f"warm wool number{item}",
        "price": 6.99,
        "related": {"also_bought": [asin(7)]},
        **more,
    }


def look(item):
    return np.arange(4096, dtype=np.float32) + item


PAIRS = [(user, item) for user in range(5) for item in range(user, user + 4)]


def write(root, pairs=PAIRS, meta=range(8), images=range(8)):
    raw = root / "raw"
    raw.mkdir(exist_ok=True, parents=True)
    write_lines(raw / REVIEWS, [review(*pair, time=k) for k, pair in enumerate(pairs)])
    write_lines(raw / META, map(about, meta), literal=True)
    write_image_features(
        raw / IMAGES, [([asin(item) for item in images], np.stack([look(i) for i in images]))]
    )
    return root


def splits(dataset):
    store = dataset[0][USER_TO_ITEM]
    parts = (store.edge_index, store.val_edge_label_index, store.test_edge_label_index)
    return [sorted(zip(*part.tolist())) for part in parts]


def left_behind(root):
    return [path for path in root.rglob("*") if "processed" in path.parts and path.is_file()]


def edit_lines(path, change):
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    path.write_bytes(gzip.compress(b"\n".join(change(lines))))
