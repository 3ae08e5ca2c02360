import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from crane_pyg.encoders import text
from crane_pyg.encoders.text import SENTENCES, encode_texts

TEXTS = ["a red shoe", "", "the red boot", " .!", "green tea, and tea", "a pot of green tea"]
FILLED = [0, 2, 4, 5]


def cosine(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


@pytest.fixture
def sentences(monkeypatch):
    """A package whose models give the length of a text; its weights are here if told so."""

    class SentenceTransformer:
        here = True
        asked: ClassVar = []

        def __init__(self, name, local_files_only=False):
            if name != SENTENCES or not self.here:
                raise OSError("no weights")

        def encode(self, texts, **options):
            self.asked.extend(texts)
            return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = SentenceTransformer
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setattr(text, "find_spec", lambda name: module)
    return SentenceTransformer


def test_light_encoder_knows_which_texts_share_words():
    features, encoder = encode_texts(TEXTS, encoder="tfidf-svd")
    assert encoder == "tfidf-svd-4"
    assert features.shape == (6, 4)
    assert features.dtype == np.float32
    assert features.any(axis=1).tolist() == [True, False, True, False, True, True]
    near = cosine(features[FILLED])
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[2, 1]


def test_light_encoder_is_a_projection_of_tfidf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    full = encode_texts(TEXTS, encoder="tfidf-svd").features
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(
        [TEXTS[i] for i in FILLED]
    )
    assert np.allclose(
        (full @ full.T)[np.ix_(FILLED, FILLED)], (words @ words.T).toarray(), atol=1e-5
    )
    narrow, encoder = encode_texts(TEXTS, encoder="tfidf-svd-2")
    assert encoder == "tfidf-svd-2"
    assert np.allclose(narrow, full[:, :2], atol=1e-5)


def test_light_encoder_is_kept(tmp_path, monkeypatch):
    first = encode_texts(TEXTS, encoder="tfidf-svd", cache=tmp_path)
    monkeypatch.setattr(text, "_lsa", None)
    again = encode_texts(TEXTS, encoder="tfidf-svd", cache=tmp_path)
    assert np.array_equal(first.features, again.features)
    assert first.encoder == again.encoder
    with pytest.raises(TypeError):
        encode_texts([*TEXTS, "one more"], encoder="tfidf-svd", cache=tmp_path)


def test_auto_takes_a_model_where_it_is_here(sentences):
    features, encoder = encode_texts(TEXTS)
    assert encoder == SENTENCES
    assert features[:, 0].tolist() == [10, 0, 12, 0, 18, 18]
    sentences.here = False
    assert encode_texts(TEXTS).encoder == "tfidf-svd-4"


def test_auto_without_the_package(monkeypatch):
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    assert encode_texts(TEXTS).encoder == "tfidf-svd-4"


def test_models_encode_a_text_once(sentences, tmp_path):
    encode_texts(["b", "a", "b"], encoder=SENTENCES, cache=tmp_path)
    encode_texts(["c", "a"], encoder=SENTENCES, cache=tmp_path)
    assert sentences.asked == ["b", "a", "c"]


def test_errors(sentences, monkeypatch):
    with pytest.raises(ValueError, match=r"no text to encode \(got 2 without a word\)"):
        encode_texts(["", "?"])
    with pytest.raises(ValueError, match=r"'jam' cannot be loaded \(got: no weights\)"):
        encode_texts(["a"], encoder="jam")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ValueError, match=r"\(got 'jam' without that package\)"):
        encode_texts(["a"], encoder="jam")
