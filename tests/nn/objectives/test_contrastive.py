import pytest
import torch

from crane_pyg.nn.objectives import InfoNCE, info_nce_loss


def test_it_is_the_weighted_sum_over_pairs_of_views():
    views = [(torch.randn(n, 4), torch.randn(n, 4)) for n in (3, 5)]
    expected = sum(info_nce_loss(*pair, temperature=0.5, reduction="sum") for pair in views)
    torch.testing.assert_close(InfoNCE(0.3, 0.5, "sum")(views), 0.3 * expected)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((1.0, 0.0), "temperature must be positive .got 0.0"),
        ((1.0, 0.2, "max"), "reduction must be one of 'mean', .*got 'max'"),
    ],
)
def test_bad_options(args, match):
    with pytest.raises(ValueError, match=match):
        InfoNCE(*args)
