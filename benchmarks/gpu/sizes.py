"""How much is measured: on a card, and in a rehearsal on a CPU."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """``scale`` and ``widths`` are of the synthetic sets, ``seconds`` are for one measurement."""

    seconds: float
    squares: tuple[int, ...]
    ieee_squares: tuple[int, ...]
    copy_mb: tuple[int, ...]
    rows: tuple[int, ...]
    channels: tuple[int, ...]
    half_rows: int  # of float16, and of FlexAttention
    head_rows: tuple[int, ...]  # of 16 heads
    heads: int
    linear_rows: tuple[int, ...]
    scale: dict[str, float]
    widths: tuple[int | None, int | None]
    epochs: tuple[tuple[str, int], ...]  # preset and batch size, what matters most first
    warm_steps: int
    steps: int
    traced_steps: int


FULL = Sizes(
    seconds=0.3,
    squares=(4096, 8192, 16384),
    ieee_squares=(4096, 8192),
    copy_mb=(256, 1024, 4096),
    rows=(8192, 16384, 32768, 65536),
    channels=(64, 128),
    half_rows=16384,
    head_rows=(8192, 16384),
    heads=16,
    linear_rows=(16384, 262144),
    scale={"baby": 1.0, "electronics": 1.0, "sports": 1.0, "clothing": 1.0},
    widths=(None, None),
    epochs=(
        ("electronics", 8192),
        ("baby", 1024),
        ("sports", 1024),
        ("clothing", 1024),
        ("electronics", 1024),
    ),
    warm_steps=40,
    steps=400,
    traced_steps=4,
)
REHEARSAL = Sizes(
    seconds=0.002,
    squares=(64,),
    ieee_squares=(64,),
    copy_mb=(1,),
    rows=(32, 96),
    channels=(16, 32),
    half_rows=64,
    head_rows=(64,),
    heads=2,
    linear_rows=(300,),
    scale={"baby": 0.01, "electronics": 0.002, "sports": 0.01, "clothing": 0.01},
    widths=(24, 12),
    epochs=(
        ("electronics", 512),
        ("baby", 128),
        ("sports", 128),
        ("clothing", 128),
        ("electronics", 128),
    ),
    warm_steps=2,
    steps=3,
    traced_steps=1,
)
