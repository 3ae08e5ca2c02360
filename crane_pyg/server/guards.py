"""What is asked of a request before anything reads it, and what every response says."""

import asyncio
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crane_pyg.server.replies import Reply

MOST_BYTES = 12 * 2**20
"""Of a request's body: a picture of 8 MiB in base64, and what goes with it."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_SECONDS = 20.0  # for a body to arrive
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Guards:
    """Refuses bodies that are too large or too slow, and names of other machines.

    A body is read whole before the application sees the request: what is refused costs at most
    ``most`` bytes.

    Args:
        app: what answers.
        hosts: names by which the server may be asked; all if ``None``. A page of another site that
            had its name lead to this machine would else be as good as this one.
        most: bytes of a body.
        seconds: for a body to arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] | None = None,
        most: int = MOST_BYTES,
        seconds: float = _SECONDS,
    ) -> None:
        self.app, self.hosts, self.most, self.seconds = app, hosts, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what may pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if self.hosts is not None and _host(headers.get("host", "")) not in self.hosts:
            refusal = Reply.refusal(400, f"the host must be one of {', '.join(self.hosts)}")
            await refusal(scope, receive, send_with_headers)
            return
        if "content-length" in headers or "transfer-encoding" in headers:
            try:
                body = await asyncio.wait_for(self._body(headers, receive), self.seconds)
            except asyncio.TimeoutError:
                body = Reply.refusal(
                    408, f"a body must arrive within {self.seconds:g} s", last=True
                )
            if body is None:
                return  # its client has left
            if isinstance(body, Reply):
                await body(scope, receive, send_with_headers)
                return
            receive = _replayed(body, receive)
        await self.app(scope, receive, send_with_headers)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | Reply | None:
        refusal = Reply.refusal(413, f"a body must be at most {self.most:,} bytes", last=True)
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:18]) > self.most:
            return refusal
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
            if size > self.most:
                return refusal
        return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _host(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()
