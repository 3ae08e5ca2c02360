"""Encoding items that come after a data set was made, as those of the data set were."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from crane_pyg.encoders.words import WordProjection
from crane_pyg.serving.artefact import Artefact

TEXT, IMAGE = "text", "image"


class LaterItemEncoder:
    """Makes features of a text and a picture, as ``prepare`` did for the items that it knew.

    Args:
        encoders (dict): What each modality was made by, by its name, as ``dataset.json`` notes it.
        words (WordProjection, optional): What the light encoder of texts has learned.
            (default: :obj:`None`)
    """

    def __init__(self, encoders: Mapping[str, str], words: WordProjection | None = None) -> None:
        self.encoders, self.words = dict(encoders), words

    @classmethod
    def of_artefact(cls, artefact: Artefact) -> "LaterItemEncoder":
        """Reads what an exported model says of how its items were encoded.

        Args:
            artefact (Artefact): What was opened.
        """
        words = None
        if "word_weight" in artefact:
            known = tuple(artefact.texts("words").all())
            words = WordProjection(
                known,
                artefact.array("word_weight", len(known)),
                artefact.array("word_vectors", len(known), None),
            )
        return cls(artefact.about.get("encoders", {}), words)

    def encode(self, text: str = "", picture: bytes | None = None) -> dict[str, np.ndarray]:
        """Returns features by modality, ``[d]`` each, of what there is and the data set has.

        Args:
            text (str, optional): Title and description. (default: nothing)
            picture (bytes, optional): The file of a picture. (default: :obj:`None`)

        Raises:
            ValueError: if the picture cannot be read, or an encoder cannot run here.
        """
        found = {}
        if TEXT in self.encoders and re.search(r"\w", text):
            found[TEXT] = self._text(text)
        if IMAGE in self.encoders and picture is not None:
            found[IMAGE] = self._picture(picture)
        return {modality: row for modality, row in found.items() if row.any()}

    def _text(self, text: str) -> np.ndarray:
        from crane_pyg.encoders.text import LIGHT, SENTENCES, encode_texts, sentences_are_here

        encoder = self.encoders[TEXT]
        if encoder.startswith(LIGHT):
            if self.words is None:
                raise ValueError(f"The words of '{encoder}' are not here (got none to encode by)")
            return self.words.encode([text])[0]
        if encoder != SENTENCES or not sentences_are_here():
            raise _not_here(TEXT, encoder)
        return encode_texts([text], encoder=encoder).features[0]

    def _picture(self, content: bytes) -> np.ndarray:
        from crane_pyg.encoders.image import LIGHT, encode_images
        from crane_pyg.encoders.networks import TIMM, local_network

        encoder = re.sub(r"-\d+$", "", self.encoders[IMAGE])  # noted with the width of its rows
        if encoder.startswith(TIMM) and local_network(encoder) is None:
            raise _not_here(IMAGE, encoder)
        if not encoder.startswith((LIGHT, TIMM)):
            raise _not_here(IMAGE, encoder)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "picture")
            path.write_bytes(content)
            try:
                return encode_images([path], encoder=encoder, progress=False).features[0]
            except ValueError as error:
                raise ValueError(str(error).replace(str(path), "the picture")) from error


def _not_here(modality: str, encoder: str) -> ValueError:
    return ValueError(
        f"The {modality} features were made by '{encoder}', which is not on this machine: try an "
        f"item without {modality}, or give its features in Python"
    )
