"""Texts and pictures as vectors, and a cache that keeps what was encoded."""

from crane_pyg.encoders.image import EncodedImages, encode_images
from crane_pyg.encoders.text import EncodedTexts, encode_texts

__all__ = ["EncodedImages", "EncodedTexts", "encode_images", "encode_texts"]
