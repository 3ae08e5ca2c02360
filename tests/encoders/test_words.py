import numpy as np
import pytest

from crane_pyg.encoders import WordProjection, encode_texts, fit_word_projection

TEXTS = ["a red shoe", "", "the red boot", " .!", "green tea, and tea", "a pot of green tea"]


@pytest.fixture
def fitted():
    features = encode_texts(TEXTS, encoder="tfidf-svd").features
    return features, fit_word_projection(TEXTS, features)


def test_texts_of_the_data_get_their_rows_again(fitted):
    features, words = fitted
    assert np.allclose(words.encode(TEXTS), features, atol=2e-6)


def test_later_texts_are_projected_as_scikit_learn_does(fitted):
    from sklearn.feature_extraction.text import TfidfVectorizer

    _, words = fitted
    tfidf = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
    tfidf.fit([text for text in TEXTS if text.strip(" .!")])
    later = ["Green shoe, green pot!", "TEA tea Tea", "unheard words and red"]
    expected = tfidf.transform(later) @ words.vectors.astype(np.float64)
    assert np.allclose(words.encode(later), expected, atol=1e-6)


def test_a_text_without_a_known_word_is_zeros(fitted):
    assert not fitted[1].encode(["nothing alike", "", "?!"]).any()


def test_few_directions(fitted):
    features = encode_texts(TEXTS, encoder="tfidf-svd-2").features
    rows = fit_word_projection(TEXTS, features).encode(TEXTS)
    assert rows.shape == (6, 2)
    assert np.allclose(rows, features, atol=1e-5)


def test_kept_and_read_again(fitted, tmp_path):
    words = fitted[1]
    words.save(tmp_path / "new" / "words.npz")
    read = WordProjection.load(tmp_path / "new" / "words.npz")
    assert read.words == words.words
    assert np.array_equal(read.encode(TEXTS), words.encode(TEXTS))


def test_what_is_no_projection_is_refused(fitted, tmp_path):
    words, path = fitted[1], tmp_path / "words.npz"
    with pytest.raises(ValueError, match=r"words\.npz' must be a file \(got None\)"):
        WordProjection.load(path)
    np.savez(path, weight=words.weight)
    with pytest.raises(ValueError, match=r"words\.npz' must hold a word projection"):
        WordProjection.load(path)
    words._replace(weight=words.weight[1:]).save(path)
    with pytest.raises(ValueError, match="a weight and a vector for each word"):
        WordProjection.load(path)
