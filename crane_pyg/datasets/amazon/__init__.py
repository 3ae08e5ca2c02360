"""Amazon 2014: the original files, and the preprocessed ones of the field's common toolbox."""

from crane_pyg.datasets.amazon.convert import convert_amazon
from crane_pyg.datasets.amazon.dataset import AmazonMultimodal

__all__ = ["AmazonMultimodal", "convert_amazon"]
