"""One name for every source of data."""

from pathlib import Path

from crane_pyg.datasets.multimodal import MultimodalDataset
from crane_pyg.datasets.synthetic import PRESETS, SyntheticMultimodal


def load_dataset(
    source: str | Path, *, split: str = "given", seed: int = 0, min_user_interactions: int = 0
) -> MultimodalDataset | SyntheticMultimodal:
    """Read a folder, or draw a synthetic preset, whichever :obj:`source` names.

    Args:
        source: a folder that :class:`MultimodalDataset` reads, or a preset of
            :class:`SyntheticMultimodal`. A folder wins where both exist.
        split, seed, min_user_interactions: of :class:`MultimodalDataset`; a preset is drawn by
            ``seed`` and its own random split.

    Raises:
        ValueError: if ``source`` is neither, or the folder's files are wrong.
    """
    if Path(source).is_dir():
        return MultimodalDataset(
            source, split=split, seed=seed, min_user_interactions=min_user_interactions
        )
    if source not in PRESETS:
        raise ValueError(
            f"data must be a folder or one of the presets {', '.join(PRESETS)} (got '{source}')"
        )
    return SyntheticMultimodal(str(source), seed=seed)
