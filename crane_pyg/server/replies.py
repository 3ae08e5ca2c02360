"""Responses as JSON."""

import json
from typing import Any

from starlette.responses import Response


class Reply(Response):
    """An object as JSON, in plain ASCII: ids may hold what UTF-8 cannot."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Returns the bytes that are sent."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def refusal(cls, status: int, detail: str, *, last: bool = False) -> "Reply":
        """What was wrong with a request, in one line.

        Args:
            status: of HTTP.
            detail: the line.
            last: whether the connection ends with it, as where the request was not read.
        """
        return cls({"detail": detail}, status, {"connection": "close"} if last else None)
