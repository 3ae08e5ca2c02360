"""Loading a data set by a name, wherever it comes from."""

from pathlib import Path

from crane_pyg.datasets.amazon import AmazonMultimodal
from crane_pyg.datasets.amazon.categories import find_category, guess_category
from crane_pyg.datasets.multimodal import MultimodalDataset
from crane_pyg.datasets.splits import DrawnSplit, Split
from crane_pyg.datasets.synthetic import PRESETS, SyntheticMultimodal
from crane_pyg.ops.fill import Missing

AMAZON = "amazon:"


def holds_originals(folder: Path) -> bool:
    """Whether a folder keeps files to be converted, rather than a data set."""
    return (folder / "raw").is_dir() and not any(folder.glob("*.inter"))


def load_dataset(
    source: str | Path,
    *,
    split: Split = "given",
    seed: int = 0,
    min_user_interactions: int = 0,
    missing: Missing = "mask",
) -> MultimodalDataset | SyntheticMultimodal:
    """Reads a folder, or draws a synthetic preset, whichever :obj:`source` names.

    Args:
        source: a folder that :class:`MultimodalDataset` reads; one whose folder ``raw`` holds the
            files of :class:`AmazonMultimodal`; ``'amazon:baby'`` or the like, which is such a
            folder ``data/amazon-baby``, filled by downloads; or a preset of
            :class:`SyntheticMultimodal`. A folder wins where several are meant.
        split, seed, min_user_interactions: as :class:`MultimodalDataset` takes them; a preset is
            drawn by ``seed``, its given split is the random one, it has no times to split by, and
            drops no user.
        missing: what stands for features that items lack, see :class:`MultimodalDataset`.

    Raises:
        ValueError: if ``source`` is none of these, the files are wrong, or a preset is to be
            split or thinned otherwise.
    """
    folder, name = Path(source), str(source)
    category = None
    if not folder.is_dir() and name.startswith(AMAZON):
        category = find_category(name.removeprefix(AMAZON))
        folder = Path("data", f"amazon-{category.short}")
    elif holds_originals(folder):
        category = guess_category(folder / "raw")
    if category is not None:
        return AmazonMultimodal(
            folder,
            category.name,
            split=split,
            seed=seed,
            min_user_interactions=min_user_interactions,
            missing=missing,
        )
    if folder.is_dir():
        return MultimodalDataset(
            folder,
            split=split,
            seed=seed,
            min_user_interactions=min_user_interactions,
            missing=missing,
        )
    if source not in PRESETS:
        raise ValueError(
            f"there is no folder '{source}' here: data must be a folder, '{AMAZON}<category>' or "
            f"one of the presets {', '.join(PRESETS)} (got '{source}')"
        )
    if min_user_interactions > 0:
        raise ValueError(
            f"the preset '{name}' is drawn as it is: min_user_interactions must be 0 "
            f"(got {min_user_interactions})"
        )
    drawn: DrawnSplit = "random" if split == "given" else split
    return SyntheticMultimodal(name, split=drawn, seed=seed, missing=missing)
