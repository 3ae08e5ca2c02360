"""The benchmarks of serving hide what they say that they hide."""

import torch

from benchmarks.new_items import without_items
from benchmarks.new_users import edges_of, hidden_users, with_pairs
from benchmarks.updates import stream_of
from crane_pyg.schema import USER_TO_ITEM


def test_hidden_users_have_something_to_find(checkerboard):
    users = hidden_users(checkerboard, 0.25, seed=0)
    assert len(set(users.tolist())) == 6
    pairs, label = edges_of(checkerboard)
    assert label.bincount().tolist() == [432, 24, 24]
    kept = ~torch.isin(pairs[0], users)
    data = with_pairs(checkerboard, pairs[:, kept], label[kept])
    assert not torch.isin(data[USER_TO_ITEM].edge_index[0], users).any()
    assert data["user"].num_nodes == 24
    torch.testing.assert_close(data["item"].x_visual, checkerboard["item"].x_visual)


def test_items_that_go_take_their_pairs_along(checkerboard):
    kept = torch.tensor([0, 1, 2, 3, 10, 11, 12, 39])
    data = without_items(checkerboard, kept)
    assert data["item"].num_nodes == 8
    torch.testing.assert_close(data["item"].x_visual, checkerboard["item"].x_visual[kept])
    pairs, _ = edges_of(data)
    assert ((pairs[0] % 2) == (kept[pairs[1]] % 2)).all()
    assert data[USER_TO_ITEM].val_edge_label_index.size(1) > 0


def test_a_stream_numbers_users_and_items_as_they_come(checkerboard):
    stream = stream_of(checkerboard, seed=0)
    early, late = stream.until(40), stream.until(stream.train.size(1))
    assert early[USER_TO_ITEM].edge_index.size(1) == 40
    assert early["item"].num_nodes < late["item"].num_nodes == 40
    assert early["user"].num_nodes <= late["user"].num_nodes == 24
    for row in stream.train.tolist():
        assert list(dict.fromkeys(row)) == sorted(set(row))
    # Whatever the numbers, whoever likes a parity likes it still.
    look = late["item"].x_visual
    parity = (look - look[0]).norm(dim=1) < 1
    first = {}
    for user, item in stream.train.T.tolist():
        assert first.setdefault(user, bool(parity[item])) == bool(parity[item])
    small = early["item"].num_nodes
    torch.testing.assert_close(early["item"].x_visual, look[:small])
