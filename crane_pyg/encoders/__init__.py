"""Texts and pictures as vectors, and a cache that keeps what was encoded."""

from crane_pyg.encoders.image import EncodedImages, encode_images
from crane_pyg.encoders.text import EncodedTexts, encode_texts, fit_word_projection
from crane_pyg.encoders.words import WordProjection

__all__ = [
    "EncodedImages",
    "EncodedTexts",
    "WordProjection",
    "encode_images",
    "encode_texts",
    "fit_word_projection",
]
