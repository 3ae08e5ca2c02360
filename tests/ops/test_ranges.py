import torch

from crane_pyg.ops.ranges import ranges


def test_stretches_come_one_after_the_other():
    start, count = torch.tensor([5, 0, 7, 5]), torch.tensor([2, 0, 3, 1])
    stretch, index = ranges(start, count)
    assert stretch.tolist() == [0, 0, 2, 2, 2, 3]
    assert index.tolist() == [5, 6, 7, 8, 9, 5]
    stretch, index = ranges(start[:0], count[:0])
    assert stretch.numel() == index.numel() == 0
