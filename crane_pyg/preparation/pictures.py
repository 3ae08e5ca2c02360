"""Finding the pictures of the items."""

from collections.abc import Sequence
from pathlib import Path

from crane_pyg.datasets.tables import Table
from crane_pyg.preparation.catalogue import Catalogue

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def pictures_by_id(folder: Path, items: Sequence[str]) -> list[Path | None]:
    """Finds ``<item id>.jpg`` (or .png, .webp, ...) in a folder; :obj:`None` where there is none.

    Raises:
        ValueError: if there is no such folder, two pictures for one item, or a link out of the
            folder.
    """
    _check_folder(folder)
    root, wanted = folder.resolve(), set(items)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.stem in wanted:
            if path.stem in found:
                raise ValueError(
                    f"'{folder}' must hold one picture for an item "
                    f"(got '{found[path.stem].name}' and '{path.name}')"
                )
            if not path.resolve().is_relative_to(root):
                raise ValueError(f"'{path}' must stay inside '{folder}' (got a link out of it)")
            found[path.stem] = path
    return [found.get(item) for item in items]


def pictures_by_column(
    folder: Path, catalogue: Catalogue, table: Table, column: str
) -> list[Path | None]:
    """Follows the paths of a column, relative to a folder, that must stay inside it.

    An empty cell is :obj:`None`. Whether there is a file is not asked.

    Raises:
        ValueError: naming file, line and column, if a path is absolute, climbs out of the folder
            (through links too), or leads to a folder.
    """
    _check_folder(folder)
    root = folder.resolve()
    found: list[Path | None] = []
    for name, row in zip(catalogue.images, catalogue.rows):
        path = None
        if name:
            try:
                path = (root / name).resolve()
                here = path.is_relative_to(root) and not Path(name).is_absolute()
                wrong = "stay inside that of the images" if not here else ""
                wrong = wrong or ("lead to a file" if path.is_dir() else "")
            except ValueError:  # a zero byte
                wrong = "be a path"
            if wrong:
                raise ValueError(
                    f"{table.where(row)}, column '{column}': must {wrong} (got {name!r})"
                )
        found.append(path)
    return found


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"The images must lie in a folder (got '{folder}')")
