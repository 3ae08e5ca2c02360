import pytest
import torch

from crane_pyg.ops.edge_blocks import edge_blocks


@pytest.mark.parametrize("size", [1, 3, 4, 12, 50])
def test_blocks_equal_a_loop_over_users(size):
    draw = torch.Generator().manual_seed(0)
    edges = torch.stack([torch.randint(20, (90,), generator=draw), torch.arange(90)])
    users = torch.tensor([0, 2, 3, 5, 7, 8, 11, 12, 13, 16, 18, 25])  # the last has no edge
    found = list(edge_blocks(size, users, edges))
    blocks = torch.split(users, size)
    assert len(found) == len(blocks)
    for pairs, block in zip(found, blocks, strict=True):
        expected = [
            [row, int(item)]
            for row, user in enumerate(block)
            for item in edges[1, edges[0] == user]
        ]
        assert pairs.T.tolist() == expected
