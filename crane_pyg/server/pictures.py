"""Pictures of the items: those that the artefact names, from one folder, and no other file."""

from collections.abc import Iterable
from pathlib import Path

MEDIA = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}


class PictureFolder:
    """Finds pictures by the names that an artefact gives them.

    Args:
        folder: where they lie.
        names: what may be asked for.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._root, self._names = folder.resolve(), frozenset(names) - {""}

    def find(self, name: str) -> Path | None:
        """The file of a picture; ``None`` if no item has it, or its path leads elsewhere."""
        if name not in self._names:
            return None
        try:
            path = (self._root / name).resolve()
            inside = path.is_relative_to(self._root) and path.is_file()
        except (OSError, ValueError, RuntimeError):  # too long, a zero byte, or a loop of links
            return None
        return path if inside and path.suffix.lower() in MEDIA else None


_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def media_of(content: bytes) -> str | None:
    """What a picture's first bytes say that it is; ``None`` if no browser shows it."""
    if content.startswith(b"RIFF") and content[8:12] != b"WEBP":
        return None
    return next((media for start, media in _SIGNATURES if content.startswith(start)), None)
