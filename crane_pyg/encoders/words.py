"""What the light encoder of texts has learned, kept to encode texts that come later."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from crane_pyg.files import write_atomically
from crane_pyg.limits import existing_file

_TOKEN = re.compile(r"\w+")


class WordProjection(NamedTuple):
    r"""The words, their weights and the singular vectors of a latent semantic analysis.

    A text's row is :math:`\mathrm{tfidf}(t) V`, where :math:`\mathrm{tfidf}` takes :math:`1 + \log`
    of the counts, times the weights, to unit length. It needs numpy alone.

    Shapes: words :math:`W`, weight :math:`(W)`, vectors :math:`(W, d)` in :obj:`float32`.

    Examples:
        >>> import numpy as np
        >>> from crane_pyg.encoders import WordProjection
        >>> words = WordProjection(("lamp", "red"), np.ones(2), np.eye(2, dtype=np.float32))
        >>> words.encode(["A red lamp", "something else"]).round(2)
        array([[0.71, 0.71],
               [0.  , 0.  ]], dtype=float32)
    """

    words: tuple[str, ...]
    weight: np.ndarray
    vectors: np.ndarray

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encodes each text as a vector; one without a known word is a row of zeros.

        Shapes:
            - **output:** :math:`(N, d)` in :obj:`float32`
        """
        place = {word: number for number, word in enumerate(self.words)}
        rows = np.zeros((len(texts), self.vectors.shape[1]), dtype=np.float32)
        for row, text in zip(rows, texts):
            count = Counter(place[t] for t in _TOKEN.findall(text.lower()) if t in place)
            if count:
                number = np.array(list(count))
                value = (1 + np.log(np.array(list(count.values())))) * self.weight[number]
                row[:] = (value / np.linalg.norm(value)) @ self.vectors[number]
        return rows

    def save(self, path: Path) -> None:
        """Writes the projection to an ``.npz`` file, whole or not at all."""
        text = np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)

        def write(aside: Path) -> None:
            with aside.open("wb") as file:  # given a path, savez would add its own ending
                np.savez(file, words=text, weight=self.weight, vectors=self.vectors)

        write_atomically(path, write)

    @classmethod
    def load(cls, path: Path) -> "WordProjection":
        """Reads what :meth:`save` has written.

        Raises:
            ValueError: naming the file, if it is none of these.
        """
        try:
            with np.load(existing_file(path), allow_pickle=False) as kept:
                words = tuple(kept["words"].tobytes().decode().split("\n"))
                found = cls(words, kept["weight"], kept["vectors"])
        except (KeyError, EOFError, BadZipFile, UnicodeDecodeError) as error:
            raise ValueError(f"'{path}' must hold a word projection (got: {error})") from error
        if not len(found.words) == len(found.weight) == len(found.vectors):
            raise ValueError(
                f"'{path}' must have a weight and a vector for each word (got {len(found.words)} "
                f"words, {len(found.weight)} weights, {len(found.vectors)} vectors)"
            )
        return found
