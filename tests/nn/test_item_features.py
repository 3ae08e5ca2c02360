import pytest
import torch

from crane_pyg.nn.item_features import ItemFeatures

WIDTHS = {"textual": 5, "visual": 12}


def test_repr():
    assert repr(ItemFeatures(40, WIDTHS)) == (
        "ItemFeatures({'textual': 5, 'visual': 12}, trainable=False)"
    )


def test_frozen_features_are_those_of_the_data(checkerboard):
    features = ItemFeatures(40, WIDTHS)
    features.start_from(checkerboard)
    assert features(checkerboard, "visual") is checkerboard["item"].x_visual
    assert not features.state_dict()


def test_trainable_features_start_as_a_copy(checkerboard):
    features = ItemFeatures(40, WIDTHS, trainable=True)
    features.start_from(checkerboard)
    x = features(checkerboard, "visual")
    assert torch.equal(x, checkerboard["item"].x_visual)
    assert x.data_ptr() != checkerboard["item"].x_visual.data_ptr()
    assert [p.shape for p in features.parameters()] == [(40, 5), (40, 12)]


def test_no_modality():
    with pytest.raises(ValueError, match="must have item features"):
        ItemFeatures(40, {})
