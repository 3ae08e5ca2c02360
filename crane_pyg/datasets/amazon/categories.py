"""The categories of Amazon 2014 and their files."""

import re
from pathlib import Path
from typing import NamedTuple


class Category(NamedTuple):
    """A category as its files spell it, and as data sets are called.

    :obj:`sizes` are the users, items and interactions of the paper's Table 2, where it has them.
    """

    name: str
    short: str
    sizes: tuple[int, int, int] | None = None

    @property
    def reviews(self) -> str:
        return f"reviews_{self.name}_5.json.gz"

    @property
    def meta(self) -> str:
        return f"meta_{self.name}.json.gz"

    @property
    def image_features(self) -> str:
        return f"image_features_{self.name}.b"

    @property
    def files(self) -> list[str]:
        return [self.reviews, self.meta, self.image_features]


_OF_THE_PAPER = (
    Category("Baby", "baby", (19_445, 7_050, 160_792)),
    Category("Sports_and_Outdoors", "sports", (35_598, 18_357, 296_337)),
    Category("Clothing_Shoes_and_Jewelry", "clothing", (39_387, 23_033, 278_677)),
    Category("Electronics", "electronics", (192_403, 63_001, 1_689_188)),
)
_BY_NAME = {name.lower(): each for each in _OF_THE_PAPER for name in (each.name, each.short)}


def find_category(name: str) -> Category:
    """Returns the category of that name: one of the paper's, long or short, or any other.

    Raises:
        ValueError: if :obj:`name` cannot be part of a file's name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError(
            f"A category is named by letters, digits and '_', as in the names of its files "
            f"(got {name!r})"
        )
    return _BY_NAME.get(name.lower(), Category(name, name.lower()))


def find_preprocessed(raw: Path, category: Category) -> Path | None:
    """Returns the path of ``<name>.inter``, the name long or short and in any case."""
    names = {category.name.lower(), category.short}
    found = [path for path in sorted(raw.glob("*.inter")) if path.stem.lower() in names]
    return found[0] if found else None


def guess_category(raw: Path) -> Category:
    """Returns the only category of which a folder holds reviews or a preprocessed table.

    Raises:
        ValueError: if there is none, or several.
    """
    names = {path.stem for path in raw.glob("?*.inter") if not path.name.startswith(".")}
    for path in raw.glob("reviews_?*_5.json.gz"):
        names.add(path.name.removeprefix("reviews_").removesuffix("_5.json.gz"))
    found = {find_category(name) for name in names}
    if len(found) != 1:
        raise ValueError(
            f"'{raw}' must hold one '<name>.inter' or one 'reviews_<Category>_5.json.gz' "
            f"(got {sorted(names)})"
        )
    return found.pop()
