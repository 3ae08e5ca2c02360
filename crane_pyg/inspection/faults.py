"""Finding faults: which counts are errors, and which are only unusual."""

from collections.abc import Iterator, Mapping

from crane_pyg.inspection.features import Modality
from crane_pyg.inspection.interactions import InteractionCounts

_REPEATED = 0.01  # share of rows
_Z = 3.0


def find_faults(
    interactions: InteractionCounts | None, modalities: Mapping[str, Modality], items: int
) -> tuple[list[str], list[str]]:
    """Returns errors, which make training impossible or wrong, and warnings, which do not.

    Args:
        interactions (InteractionCounts or None): Counts of the interactions, if there are any.
        modalities (dict): Counts of the features, by modality.
        items (int): One more than the largest item id of the interactions, 0 if there are none.
    """
    errors, warnings = [], []
    rows = {name: modality.rows for name, modality in modalities.items()}
    if len(set(rows.values())) > 1:
        errors.append(f"every modality must have a row per item (got {rows})")
    for name, modality in modalities.items():
        if items > modality.rows:
            errors.append(
                f"{name}: the interactions name items up to {items - 1:,}, the features have "
                f"{modality.rows:,} rows"
            )
        if modality.not_finite:
            errors.append(
                f"{name}: {modality.not_finite:,} rows have NaN or infinity, the first is row "
                f"{modality.first_not_finite}"
            )
        if modality.present == 0:
            errors.append(f"{name}: no item has it, every row is zero or not finite")
        warnings += [f"{name}: {text}" for text in _odd_features(modality)]
    if not modalities:
        warnings.append("there are no features: only bpr and lightgcn can be trained")
    if interactions is not None:
        for name, split in interactions.splits.items():
            if split.interactions == 0:
                errors.append(f"the {name} split is empty")
        errors += [
            f"{count:,} pairs are in {names.replace(' & ', ' and in ')}: what is to be predicted "
            "is known"
            for names, count in interactions.leaks.items()
            if count
        ]
        warnings += _odd_interactions(interactions)
    return errors, warnings


def _odd_interactions(interactions: InteractionCounts) -> Iterator[str]:
    if interactions.repeated:
        yield f"{interactions.repeated:,} rows repeat a pair of their split, and are merged"
    for name in ("val", "test"):
        split = interactions.splits[name]
        if split.cold_users:
            yield f"{name}: {split.cold_users:,} users have no training interaction"
        if split.cold_items:
            yield f"{name}: {split.cold_items:,} items have no training interaction"
    if interactions.user.unused:
        yield f"{interactions.user.unused:,} user ids have no interaction"
    if interactions.item.unused:
        yield f"{interactions.item.unused:,} item ids have no interaction"


def _odd_features(modality: Modality) -> Iterator[str]:
    missing = modality.rows - modality.present - modality.not_finite
    if missing:
        yield f"{missing:,} items lack it (all-zero row)"
    if modality.constant:
        yield f"{modality.constant:,} rows have one value throughout"
    if modality.repeated > _REPEATED * modality.rows:
        yield (
            f"{modality.repeated:,} rows repeat others, the most frequent one occurs "
            f"{modality.most_repeated:,} times: placeholders?"
        )
    if modality.dead:
        yield f"{modality.dead:,} of {modality.channels:,} channels have one value throughout"
    agreement = modality.agreement
    if agreement is not None and agreement.z < _Z:
        yield (
            f"two items of one user are not more alike than chance (cosine {agreement.same:.3f}, "
            f"by chance {agreement.chance:.3f}): do rows and item ids line up?"
        )
