"""What the reader of a format is."""

from pathlib import Path
from typing import Protocol

from crane_pyg.preparation.sources import Sources


class Format(Protocol):
    """How other programs lay out a data set in a folder.

    Attributes:
        looks_like (str): The files that tell it, for messages.
    """

    looks_like: str

    def recognises(self, folder: Path) -> bool:
        """Tells whether the files of a folder are laid out so; their names or headers say it."""

    def sources(self, folder: Path) -> Sources:
        """Opens the files, with the meaning of their columns as far as the format knows it.

        Raises:
            ValueError: naming the file, if it is not what the format has in its place.
        """
