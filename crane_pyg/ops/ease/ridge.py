from torch import Tensor


def check_ridge(l2: float, dropout: float) -> None:
    """Refuse a penalty that leaves the systems without a solution."""
    if not l2 > 0:
        raise ValueError(f"l2 must be positive (got {l2})")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1) (got {dropout})")


def check_features(features: Tensor | None, num_items: int) -> None:
    """Refuse features that are not a row for each item."""
    if features is not None and (features.dim() != 2 or features.size(0) != num_items):
        raise ValueError(f"features must be [{num_items}, f] (got {list(features.shape)})")
