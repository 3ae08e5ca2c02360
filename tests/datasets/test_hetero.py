import pytest
import torch

from crane_pyg.datasets import build_hetero_data, modalities

PAIRS = torch.tensor([[1, 0, 0], [0, 1, 0]])
LABEL = torch.tensor([0, 0, 1])
SIZES = {"num_users": 2, "num_items": 2}


def test_graph():
    x = torch.tensor([[1, 2], [3, 4]])
    data = build_hetero_data(PAIRS, LABEL, **SIZES, features={"b": x, "a": x[:, :1]})
    data.validate()
    store = data["user", "interacts", "item"]
    assert store.edge_index.tolist() == [[0, 1], [1, 0]]
    assert store.val_edge_label_index.tolist() == [[0], [0]]
    assert store.test_edge_label_index.shape == (2, 0)
    assert data["item", "rev_interacts", "user"].edge_index.tolist() == [[0, 1], [1, 0]]
    assert data["item"].x_b.dtype == torch.float32
    assert data["item"].a_mask.tolist() == [True, True]
    assert list(modalities(data).items()) == [("a", 1), ("b", 2)]


def test_no_interactions():
    data = build_hetero_data(PAIRS[:, :0], LABEL[:0], **SIZES)
    assert data["user", "interacts", "item"].edge_index.shape == (2, 0)
    assert modalities(data) == {}


def test_arguments_are_left_alone():
    pairs, label = PAIRS.clone(), LABEL.clone()
    build_hetero_data(pairs, label, **SIZES)
    assert torch.equal(pairs, PAIRS)
    assert torch.equal(label, LABEL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge_index": PAIRS[0]}, r"shape \(2, E\)"),
        ({"edge_index": PAIRS.float()}, r"int64.*got torch\.float32"),
        ({"label": LABEL[:2]}, r"one value per pair \(got \(2,\)\)"),
        ({"label": LABEL + 2}, r"labels .* 0 and 2 \(got 2 to 3\)"),
        ({"num_users": 1}, r"users .* 0 and 0 \(got 0 to 1\)"),
        ({"edge_index": PAIRS - 1}, r"\(got -1 to 0\)"),
        ({"features": {"a": torch.ones(3, 1)}}, r"'a' .*got \(3, 1\)"),
        ({"features": {"a": torch.ones(2)}}, r"'a' .*got \(2,\)"),
        ({"features": {"x_a": torch.ones(3, 1)}}, r"'x_\.\.\.' \(got 'x_a'\)"),
        ({"masks": {"a": torch.ones(2)}}, r"features of the same modality \(got 'a'\)"),
        (
            {"features": {"a": torch.ones(2, 1)}, "masks": {"a": torch.ones(3)}},
            r"Mask 'a' .*got \(3,\)",
        ),
    ],
)
def test_errors(change, message):
    arguments = {"edge_index": PAIRS, "label": LABEL, **SIZES, **change}
    with pytest.raises(ValueError, match=message):
        build_hetero_data(**arguments)
