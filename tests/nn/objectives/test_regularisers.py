import pytest
import torch

from crane_pyg.nn.objectives import L2, MeanSquare, Norm

EMBEDDINGS = [torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 2.0]])]
PARAMETERS = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]


@pytest.mark.parametrize(
    ("regulariser", "name", "expected"),
    [
        (L2(0.1), "l2", 0.1 * (25 + 9) / 2 / 2),
        (L2(0.1, "all"), "l2", 0.1 * (1 + 4 + 9)),
        (Norm(0.1), "norm", 0.1 * (5 + 3) / 2),
        (MeanSquare(0.1), "l2", 0.1 * (25 / 4 + 9 / 4)),
    ],
)
def test_by_hand(regulariser, name, expected):
    assert regulariser.name == name
    assert regulariser(EMBEDDINGS, PARAMETERS).item() == pytest.approx(expected)


def test_l2_of_something_else():
    with pytest.raises(ValueError, match="of must be one of 'batch', 'all' .got 'some'"):
        L2(0.1, "some")
