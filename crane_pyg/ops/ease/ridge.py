def check_ridge(l2: float, dropout: float) -> None:
    """Refuse a penalty that leaves the systems without a solution."""
    if not l2 > 0:
        raise ValueError(f"l2 must be positive (got {l2})")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1) (got {dropout})")
