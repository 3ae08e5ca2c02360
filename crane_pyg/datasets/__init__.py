"""Data sets: interactions of users and items, and what the items look and read like."""

from crane_pyg.datasets.amazon import AmazonMultimodal, convert_amazon
from crane_pyg.datasets.hetero import build_hetero_data
from crane_pyg.datasets.load import load_dataset
from crane_pyg.datasets.multimodal import MultimodalDataset
from crane_pyg.datasets.synthetic import SyntheticMultimodal
from crane_pyg.schema import modalities

__all__ = [
    "AmazonMultimodal",
    "MultimodalDataset",
    "SyntheticMultimodal",
    "build_hetero_data",
    "convert_amazon",
    "load_dataset",
    "modalities",
]
