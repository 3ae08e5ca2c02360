"""Many short texts in two arrays, so that they are mapped from a file and none is read unasked."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class Texts(Sequence[str]):
    """A sequence of texts: UTF-8 end to end, and where each begins.

    Args:
        content: all of them, ``[bytes]`` uint8.
        start: ``[n + 1]`` int64, from 0 to the number of bytes.
    """

    def __init__(self, content: NDArray[Any], start: NDArray[Any]) -> None:
        self.content, self.start = content, start

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """The texts of a list, or any other iterable."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        start = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in encoded], out=start[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), start)

    def __len__(self) -> int:
        return len(self.start) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} texts (got {index})")
        index %= len(self)
        return self._decode(self.content[self.start[index] : self.start[index + 1]].tobytes())

    def all(self) -> list[str]:
        """All of them, faster than one by one."""
        content, start = self.content.tobytes(), self.start.tolist()
        return [self._decode(content[low:high]) for low, high in itertools.pairwise(start)]

    @staticmethod
    def _decode(content: bytes) -> str:
        return content.decode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self)})"
