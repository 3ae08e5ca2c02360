"""Preparing a data set: files are read, chosen from, split, encoded and written."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crane_pyg.datasets.columns import IMAGE, TITLE
from crane_pyg.datasets.folder import check_out, whole_folder
from crane_pyg.datasets.npy import items_with
from crane_pyg.datasets.writer import fill_folder
from crane_pyg.encoders import (
    WordProjection,
    encode_images,
    encode_texts,
    fit_word_projection,
)
from crane_pyg.encoders.text import LIGHT
from crane_pyg.preparation.aligned_features import align_features
from crane_pyg.preparation.catalogue import Catalogue
from crane_pyg.preparation.raw_interactions import read_raw_interactions
from crane_pyg.preparation.report import PreparationReport
from crane_pyg.preparation.selection import Rules, Selection, check_rules, select
from crane_pyg.preparation.sources import OpenedSources, Sources, UnknownItems

VERSIONS = ("crane-pyg", "numpy", "pandas", "scikit-learn")
WORDS = "text_encoder.npz"  # by which texts that come later are encoded alike


class Encoding(NamedTuple):
    """How texts and pictures are encoded.

    Args:
        text (str, optional): The encoder of texts, see :func:`~crane_pyg.encoders.encode_texts`.
        image (str, optional): The encoder of pictures, see
            :func:`~crane_pyg.encoders.encode_images`.
        cache (Path, optional): A folder that keeps what was encoded. (default: :obj:`None`)
        strict (bool, optional): Whether a picture that cannot be read is an error, rather than
            an item without a picture. (default: :obj:`False`)
        progress (bool, optional): Whether to show how far it is. (default: :obj:`True`)
    """

    text: str = "auto"
    image: str = "auto"
    cache: Path | None = None
    strict: bool = False
    progress: bool = True


class _Modality(NamedTuple):
    rows: np.ndarray | Iterable[np.ndarray]
    encoder: str
    missing: int


def prepare(
    sources: Sources,
    out: Path,
    *,
    name: str | None = None,
    rules: Rules | None = None,
    encoding: Encoding | None = None,
    unknown_items: UnknownItems = "error",
    overwrite: bool = False,
    show: Callable[[str], None] = lambda line: None,
) -> PreparationReport:
    """Makes a data set's folder out of interactions, a table of items, pictures and features.

    Items are those of the interactions that are left. Texts become the modality ``text``, pictures
    ``image``; an item that lacks one has a row of zeros there.

    Args:
        sources (Sources): The files.
        out (Path): The folder, see
            :func:`~crane_pyg.datasets.writer.write_dataset`.
        name (str, optional): The name of the data set; that of the folder if :obj:`None`.
        rules (Rules, optional): The rules by which interactions are chosen and split. (default:
            all, in the split that the sources come with, or a random one)
        encoding (Encoding, optional): How texts and pictures are encoded.
        unknown_items (str, optional): What to do with interactions whose item has no row in the
            table of items: ``'error'``, ``'drop'`` or ``'keep'``. (default: :obj:`'error'`)
        overwrite (bool, optional): Whether a data set that is there may be replaced.
            (default: :obj:`False`)
        show (callable, optional): Called with lines that say what columns are taken for, before
            they are read. (default: nothing is shown)

    Raises:
        ValueError: naming file, line, column and value of what is wrong. The folder is then as it
            was.
    """
    rules, encoding = rules or Rules(split=sources.split or "random"), encoding or Encoding()
    name = out.resolve().name if name is None else name
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"The name must be that of a file, without a folder (got {name!r})")
    check_out(out, overwrite=overwrite)
    opened = OpenedSources(sources, labelled=rules.split == "given", show=show)
    source = str(opened.interactions.path)
    check_rules(rules, list(opened.interaction_columns), source)

    raw = read_raw_interactions(opened.interactions, opened.interaction_columns)
    catalogue = opened.read_catalogue(raw)
    unknown = opened.check_known(raw, catalogue, unknown_items)
    chosen = select(raw, rules, unknown=unknown, source=source)
    modalities: dict[str, _Modality] = {}
    unreadable: dict[str, str] = {}
    notes = {"pairs of train drawn for val, as none was given": chosen.num_drawn}
    words: WordProjection | None = None
    for modality in sources.features:
        modalities[modality] = _computed(sources, modality, chosen, catalogue, notes)
    if catalogue is not None and opened.item_columns["text"]:
        texts = [catalogue.texts[number] for number in chosen.raw_item]
        _add(modalities, "text", _texts(texts, encoding))
        words = _words(texts, modalities["text"])
    pictures = opened.pictures(raw, catalogue)
    if pictures is not None:
        _add(modalities, "image", _images(pictures, chosen, encoding, unreadable))

    report = PreparationReport.from_selection(
        raw, chosen, {m: (x.encoder, x.missing) for m, x in modalities.items()}, unreadable, notes
    )
    with whole_folder(out, overwrite=overwrite) as folder:
        if words is not None:
            words.save(folder / WORDS)
        fill_folder(
            folder,
            name,
            chosen.interactions,
            users=chosen.users,
            items=chosen.items,
            features={modality: found.rows for modality, found in modalities.items()},
            about_items=_about_items(chosen, catalogue, pictures, sources.images),
            metadata={
                "source": opened.about(),
                "encoders": {modality: found.encoder for modality, found in modalities.items()},
                "filters": {**rules._asdict(), "unknown_items": unknown_items},
                "dropped": chosen.dropped,
                "missing": report.missing,
                "unreadable": unreadable,
                "versions": {package: version(package) for package in VERSIONS},
            },
        )
    return report


def _about_items(
    chosen: Selection,
    catalogue: Catalogue | None,
    pictures: list[Path | None] | None,
    folder: Path | None,
) -> dict[str, list[str]]:
    """Titles, and pictures by their paths in the folder of pictures, where there are any."""
    about: dict[str, list[str]] = {}
    if catalogue is not None and any(catalogue.titles):
        about[TITLE] = [catalogue.titles[number] for number in chosen.raw_item]
    if pictures is not None and folder is not None:
        root = folder.resolve()
        found = (pictures[number] for number in chosen.raw_item)
        about[IMAGE] = [
            "" if path is None else path.resolve().relative_to(root).as_posix() for path in found
        ]
    return about


def _add(modalities: dict[str, _Modality], name: str, found: _Modality) -> None:
    if name in modalities:
        raise ValueError(
            f"Two sources for one modality: call the computed features otherwise (got {name!r})"
        )
    modalities[name] = found


def _computed(
    sources: Sources,
    modality: str,
    chosen: Selection,
    catalogue: Catalogue | None,
    notes: dict[str, int],
) -> _Modality:
    path = sources.features[modality]
    found = align_features(
        path,
        chosen.items,
        ids=sources.ids.get(modality),
        order=None if catalogue is None else catalogue.ids,
    )
    notes[f"{modality}: rows of '{path.name}' for items that are not in the data set"] = (
        found.num_unknown
    )
    lacks = sum(int((~items_with(block)).sum()) for block in found.blocks())
    return _Modality(found.blocks(), f"file {path.name}", lacks)


def _texts(texts: list[str], encoding: Encoding) -> _Modality:
    features, encoder = encode_texts(
        texts, encoder=encoding.text, cache=encoding.cache, progress=encoding.progress
    )
    return _Modality(features, encoder, int((~items_with(features)).sum()))


def _words(texts: list[str], found: _Modality) -> WordProjection | None:
    if not found.encoder.startswith(LIGHT):
        return None
    assert isinstance(found.rows, np.ndarray)
    return fit_word_projection(texts, found.rows)


def _images(
    pictures: list[Path | None], chosen: Selection, encoding: Encoding, unreadable: dict[str, str]
) -> _Modality:
    paths = [pictures[number] for number in chosen.raw_item]
    found = encode_images(
        paths, encoder=encoding.image, cache=encoding.cache, progress=encoding.progress
    )
    unreadable |= {chosen.items[i]: reason for i, reason in sorted(found.unreadable.items())}
    if unreadable and encoding.strict:
        first = min(found.unreadable)
        raise ValueError(
            f"'{paths[first]}' must be a picture, which --strict demands "
            f"(got {found.unreadable[first]}; {len(unreadable):,} cannot be read)"
        )
    return _Modality(found.features, found.encoder, int((~items_with(found.features)).sum()))
