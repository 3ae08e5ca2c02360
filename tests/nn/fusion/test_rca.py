import pytest
import torch

from crane_pyg.nn import RCAFusion
from tests.nn.fusion.data import M, centred, cone


def test_it_is_attention_over_users_and_items():
    data, fusion = cone(), RCAFusion({"a": 5, "b": 3}, 4)
    edge_index = data["user", "interacts", "item"].edge_index
    masks = {m: data["item"][f"{m}_mask"] for m in ("a", "b")}
    taken = torch.zeros(M, 12)
    taken[edge_index[0], edge_index[1]] = 1
    joined, present = {}, {}
    for m in ("a", "b"):
        item = centred(data, m) @ fusion.lin[m].weight.T
        joined[m] = torch.cat([taken @ item, item])
        present[m] = torch.cat([(taken * masks[m]).any(1), masks[m]])
    refined = fusion.rca(joined, present)[M:]
    (space,) = fusion(data)
    torch.testing.assert_close(torch.cat(space.parts, dim=1), refined)


def test_each_modality_has_its_share():
    data, fusion = cone(), RCAFusion({"a": 5, "b": 3}, 4)
    plain = fusion(data)[0].parts
    fusion.modality_share.copy_(torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(fusion(data)[0].parts, [0.5 * plain[0], 2 * plain[1]])


def test_other_interactions_are_noticed():
    data, fusion = cone(), RCAFusion({"a": 5, "b": 3}, 4)
    before = fusion(data)[0].parts[0]
    store = data["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, ::2]
    assert not torch.equal(fusion(data)[0].parts[0], before)


def test_a_warm_start_leaves_the_attention_beside_the_features():
    data, fusion = cone(), RCAFusion({"a": 5, "b": 3}, 4)
    fusion.warm_start(data)
    for m in ("a", "b"):
        assert torch.equal(fusion.rca.lin_self[m].weight, torch.eye(4))


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"impl": "nystroem"}, "impl must be one of .*got 'nystroem'"),
        ({"profile": "median"}, "aggr must be one of .*got 'median'"),
        ({"num_rounds": 0}, "num_rounds must be at least 1"),
    ],
)
def test_bad_options(kwargs, match):
    with pytest.raises(ValueError, match=match):
        RCAFusion({"a": 5}, **kwargs)
