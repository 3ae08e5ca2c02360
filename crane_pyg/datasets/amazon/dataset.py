"""The Amazon 2014 data as a data set of PyG."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crane_pyg.datasets.amazon.categories import find_category, find_preprocessed
from crane_pyg.datasets.amazon.convert import convert_amazon, fingerprint
from crane_pyg.datasets.amazon.download import download_originals
from crane_pyg.datasets.folder import METADATA
from crane_pyg.datasets.multimodal import MultimodalDataset
from crane_pyg.datasets.npy import find_features
from crane_pyg.datasets.splits import Split
from crane_pyg.datasets.writer import file_sizes
from crane_pyg.limits import read_json
from crane_pyg.ops.fill import Missing


class AmazonMultimodal(MultimodalDataset):
    r"""Amazon products, who reviewed them, and what they look and read like.

    The collection of `"Image-based Recommendations on Styles and Substitutes"
    <https://arxiv.org/abs/1506.04757>`_, 1996 to 2014, in the subsets where all users and items
    have five reviews. The files lie in ``<root>/raw``, and are one of

    - ``<name>.inter``, ``image_feat.npy`` and ``text_feat.npy``, as the field's common toolbox has
      them: read as :class:`MultimodalDataset` does, and preferred where both are there;
    - the original ``reviews_<Category>_5.json.gz``, ``meta_<Category>.json.gz`` and
      ``image_features_<Category>.b``: converted once, see
      :func:`~crane_pyg.datasets.convert_amazon`, to the folder ``<root>/processed/<name>``, with
      the ids in ``users.csv`` and ``items.csv``; again if they change, or if what was
      converted was cut. What is missing of them is
      downloaded.

    The paper draws ``split='random'`` with ``min_user_interactions=4``, which drops nobody here.
    Where the counts are not those of its Table 2, :obj:`report` says so.

    Args:
        root (str or Path): The folder that holds ``raw``.
        name (str): ``'Baby'``, ``'Sports'``, ``'Clothing'``, ``'Electronics'``, or another category
            as its files spell it.
        split (str, optional): See :class:`MultimodalDataset`; ``'given'`` is ``x_label`` of the
            preprocessed table, and for original files the random split of seed 0.
            (default: :obj:`'given'`)
        seed (int, optional): Seed of the random split. (default: :obj:`0`)
        min_user_interactions (int, optional): See :class:`MultimodalDataset`. (default: :obj:`0`)
        missing (str, optional): See :class:`MultimodalDataset`. (default: :obj:`'mask'`)
        text_encoder (str, optional): The encoder that makes text features of original files, see
            :func:`~crane_pyg.encoders.encode_texts`. If :obj:`None`, what was
            used before, or ``'auto'``. (default: :obj:`None`)
        sha256 (dict, optional): Digests of original files by their names, which downloads must
            have. (default: :obj:`None`)
        transform (callable, optional): Applied at every access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied once, after reading. (default: :obj:`None`)
        force_reload (bool, optional): Whether to convert original files again.
            (default: :obj:`False`)

    Raises:
        ValueError: naming file and line or record, for whatever is wrong with the files, or
            listing those to put into ``raw`` where no mirror answers.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        name: str,
        *,
        split: Split = "given",
        seed: int = 0,
        min_user_interactions: int = 0,
        missing: Missing = "mask",
        text_encoder: str | None = None,
        sha256: Mapping[str, str] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.category = find_category(name)
        self.text_encoder = text_encoder
        self._sha256 = sha256
        super().__init__(
            root,
            split=split,
            seed=seed,
            min_user_interactions=min_user_interactions,
            missing=missing,
            transform=transform,
            pre_transform=pre_transform,
            force_reload=force_reload,
        )

        self.report = dataclasses.replace(
            self.report,
            num_duplicates=self.report.num_duplicates + self._merged("reviews"),
            notes=tuple(self._notes()),
        )

    @property
    def raw_dir(self) -> str:
        return os.path.join(self.root, "raw")

    @property
    def raw_file_names(self) -> list[str]:
        table = self._preprocessed
        if table is None:
            return self.category.files
        return [table.name, *(path.name for path in find_features(self.raw_dir).values())]

    def download(self) -> None:
        """Downloads the original files that ``raw`` lacks, unless they are converted already."""
        if not self._is_converted():
            download_originals(self.category, Path(self.raw_dir), sha256=self._sha256)

    def _locate(self, name: str | None) -> Path:
        if self._preprocessed is not None:
            return self._preprocessed
        if not self._is_converted():
            convert_amazon(
                self.raw_dir,
                self.category.name,
                self._folder,
                text_encoder=self.text_encoder or "auto",
                overwrite=True,
            )
        return self._folder / f"{self.category.short}.inter"

    @property
    def _folder(self) -> Path:
        return Path(self.processed_dir, self.category.short)

    @property
    def _preprocessed(self) -> Path | None:
        return find_preprocessed(Path(self.raw_dir), self.category)

    def _is_converted(self) -> bool:
        about = self._about()
        if not about or self.force_reload or not self._is_whole(about["bytes"]):
            return False
        originals = fingerprint(Path(self.raw_dir), self.category)
        is_current = originals.items() <= about["originals"].items()
        return is_current and self.text_encoder in (None, about["text_encoder"])

    def _about(self) -> dict[str, Any]:
        """What the conversion noted; nothing where there was none."""
        try:
            about = read_json(self._folder / METADATA)
        except (OSError, ValueError):
            return {}
        known = ("originals", "text_encoder", "merged", "counts", "bytes")
        return about if isinstance(about, dict) and all(name in about for name in known) else {}

    def _is_whole(self, sizes: object) -> bool:
        """Whether the files of the conversion are as long as it noted."""
        return isinstance(sizes, dict) and sizes.items() <= file_sizes(self._folder).items()

    def _merged(self, kind: str) -> int:
        return 0 if self._preprocessed else self._about()["merged"][kind]

    def _notes(self) -> Iterator[str]:
        for kind in ("meta", "image_features"):
            if count := self._merged(kind):
                yield f"records of {kind} that repeat another: {count:,}"
        sizes = self.report.num_users, self.report.num_items, self.report.num_interactions
        if not self._preprocessed:
            counts = self._about()["counts"]
            sizes = counts["users"], counts["items"], counts["interactions"]
        elif self.report.num_dropped_users:
            return
        if self.category.sizes not in (None, sizes):
            both = sizes, self.category.sizes
            found, expected = (" / ".join(f"{count:,}" for count in each) for each in both)
            yield (
                f"warning: not the whole of {self.category.name}: {found} users / items / "
                f"interactions in the files, {expected} in the paper's Table 2"
            )
