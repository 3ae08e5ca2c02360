"""Encoding texts as vectors."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.encoders.cache import FeatureCache, digest
from crane_pyg.encoders.words import WordProjection

SENTENCES = "sentence-transformers/all-MiniLM-L6-v2"
LIGHT = "tfidf-svd"
WIDTH = 384

_MAX_WORDS = 20_000
_BLOCK = 1024


class EncodedTexts(NamedTuple):
    """Features of texts, and the name of the encoder that made them.

    Shapes: features :math:`(N, d)` in :obj:`float32`, zero everywhere in a row without content.

    Examples:
        >>> from crane_pyg.encoders import encode_texts
        >>> texts = ["red lamp", "blue lamp", ""]
        >>> found = encode_texts(texts, encoder="tfidf-svd-2", progress=False)
        >>> found.encoder, found.features.shape
        ('tfidf-svd-2', (3, 2))
        >>> found.features[2]  # of a text without a word
        array([0., 0.], dtype=float32)
    """

    features: np.ndarray
    encoder: str


def encode_texts(
    texts: Sequence[str],
    *,
    encoder: str = "auto",
    cache: Path | None = None,
    progress: bool = True,
) -> EncodedTexts:
    r"""Encodes each text as a vector; a text without a word is a row of zeros.

    ``'tfidf-svd'`` (or ``'tfidf-svd-128'``, for another width than 384) needs nothing but
    scikit-learn: TF-IDF with :math:`1 + \log` of the counts over the 20,000 most frequent words,
    projected onto its first singular vectors. It knows words, not what they mean. Any other name
    is a model of sentence-transformers, by its name or its folder.

    Args:
        texts (sequence of str): One text per item.
        encoder (str, optional): ``'auto'`` is ``all-MiniLM-L6-v2`` where both the package and
            the weights are on this machine already, else ``'tfidf-svd'``. A named encoder runs or
            raises. (default: :obj:`'auto'`)
        cache (Path, optional): A folder that keeps what was encoded, by content. What the light
            encoder makes depends on all texts, so all must be the same; others keep each text by
            itself and go on where they were killed. (default: :obj:`None`)
        progress (bool, optional): Whether to show how far a model is. (default: :obj:`True`)

    Raises:
        ValueError: if no text has a word, or :obj:`encoder` cannot run here.
    """
    filled = [i for i, text in enumerate(texts) if re.search(r"\w", text)]
    if not filled:
        raise ValueError(f"There is no text to encode (got {len(texts)} without a word)")
    content = [texts[i] for i in filled]
    model = None
    if encoder == "auto":
        model = _local_sentences()
        encoder = LIGHT if model is None else SENTENCES
    if re.fullmatch(rf"{LIGHT}(-[1-9]\d*)?", encoder):
        rows, encoder = _encode_light(content, encoder, cache)
    else:
        model = model or _load_sentences(encoder)
        rows = _encode_sentences(content, encoder, model, cache, progress)
    features = np.zeros((len(texts), rows.shape[1]), dtype=np.float32)
    features[filled] = rows
    return EncodedTexts(features, encoder)


def sentences_are_here() -> bool:
    """Whether :data:`SENTENCES` can run without a download."""
    return _local_sentences() is not None


def fit_word_projection(texts: Sequence[str], features: np.ndarray) -> WordProjection:
    r"""The projection by which the light encoder made these rows of these texts.

    Of :math:`X = U S V^\top` the rows are :math:`U S`, so that :math:`V = X^\top (U S) S^{-2}`:
    rows that a cache kept serve as well as fresh ones.

    Args:
        texts (sequence of str): All texts of the data set, as they were encoded.
        features (numpy.ndarray): Their rows, ``[N, d]``; those without a word are zeros.

    Examples:
        >>> import numpy as np
        >>> from crane_pyg.encoders import encode_texts, fit_word_projection
        >>> texts = ["red lamp", "blue lamp", "red chair"]
        >>> rows = encode_texts(texts, encoder="tfidf-svd-2", progress=False).features
        >>> words = fit_word_projection(texts, rows)
        >>> bool(np.allclose(words.encode(texts), rows, atol=1e-5))
        True
    """
    filled = [i for i, text in enumerate(texts) if re.search(r"\w", text)]
    words, counts = _tfidf([texts[i] for i in filled])
    rows = features[filled].astype(np.float64)
    size = (rows**2).sum(axis=0)
    # Directions of rounding alone would be blown up.
    inverse = np.divide(1, size, out=np.zeros_like(size), where=size > 1e-9 * size.max())
    vectors = (counts.T @ rows) * inverse
    return WordProjection(
        tuple(words.get_feature_names_out()),
        words.idf_.astype(np.float32),
        vectors.astype(np.float32),
    )


def _encode_light(texts: list[str], encoder: str, cache: Path | None) -> tuple[np.ndarray, str]:
    width = int(encoder.removeprefix(LIGHT).lstrip("-") or WIDTH)
    name = f"{LIGHT}-{width}"
    # One input, one row: the matrix as a whole stands or falls with every text of it.
    key = digest(*(text.encode("utf-8", "surrogatepass") for text in texts))
    kept = FeatureCache(cache, f"{name} scikit-learn {version('scikit-learn')}")
    flat = kept.rows([key], lambda _: _lsa(texts, width).reshape(1, -1))
    rows = flat.reshape(len(texts), -1)
    return rows, f"{LIGHT}-{rows.shape[1]}"


def _lsa(texts: list[str], width: int) -> np.ndarray:
    from sklearn.utils.extmath import randomized_svd

    _, counts = _tfidf(texts)
    rank = min(width, *counts.shape)
    left, size, _ = randomized_svd(counts, rank, n_iter=4, random_state=0)
    return left * size


def _tfidf(texts: list[str]) -> tuple[Any, Any]:
    """The fitted vectoriser, and the sparse ``[N, W]`` weights of the words of each text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(
        max_features=_MAX_WORDS, sublinear_tf=True, token_pattern=r"\w+", dtype=np.float32
    )
    return words, words.fit_transform(texts)


def _local_sentences() -> Any:
    if find_spec("sentence_transformers") is None:
        return None
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(SENTENCES, local_files_only=True)
    except (OSError, ValueError):  # the weights are not here
        return None


def _load_sentences(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ValueError(
            f"The text encoder must be 'auto', '{LIGHT}' or, with the package "
            f"sentence-transformers, one of its models (got {name!r} without that package)"
        ) from error
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise ValueError(f"The text encoder {name!r} cannot be loaded (got: {error})") from error


def _encode_sentences(
    texts: list[str], name: str, model: Any, cache: Path | None, progress: bool
) -> np.ndarray:
    def encode(block: list[int]) -> np.ndarray:
        return model.encode([texts[i] for i in block], batch_size=64, show_progress_bar=False)

    keys = [digest(text.encode("utf-8", "surrogatepass")) for text in texts]
    title = f"texts, {name}" if progress else None
    return FeatureCache(cache, name).rows(keys, encode, block=_BLOCK, title=title)
