"""Serving an artefact until somebody ends it."""

import logging
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvicorn

from crane_pyg.server.answers import Answers
from crane_pyg.server.app import create_app
from crane_pyg.server.guards import LOOPBACK
from crane_pyg.serving.item_index import Index

_LOG = logging.getLogger(__name__)


def serve(
    artefact: Path,
    *,
    pictures: Path | None = None,
    host: str = LOOPBACK[0],
    port: int = 8000,
    index: Index = "exact",
    show: Callable[[str], object] | None = None,
) -> None:
    """Serve an artefact until an interrupt or SIGTERM, which let requests under way end.

    SIGHUP reads the artefact again.

    Args:
        artefact: the folder of an export.
        pictures: the folder of its pictures.
        host: the address to listen on.
        port: 0 takes any that is free.
        index: as :meth:`crane_pyg.serving.Recommender.load` takes it.
        show: called with lines that say what is served, and to whom; they are printed by default.

    Raises:
        ValueError: if the artefact cannot be read, or the address cannot be had.
    """
    show = show or partial(print, flush=True)
    is_local = host in LOOPBACK
    app = create_app(artefact, pictures=pictures, hosts=LOOPBACK if is_local else None, index=index)
    answers: Answers = app.state.answers
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    with listen(host, port) as listener:
        now = answers.shop.now.recommender
        show(f"'{artefact}': {now!r}")
        name = f"[{host}]" if ":" in host else host
        show(f"serving at http://{name}:{listener.getsockname()[1]}/")
        show(
            "to this machine alone (--host 0.0.0.0 opens it to others)"
            if is_local
            else f"to everybody who can reach {host}; there is no password"
        )
        _on_hangup(answers)
        uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that connections may come to.

    Args:
        host: the address to listen on.
        port: 0 takes any that is free.

    Raises:
        ValueError: if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        raise ValueError(
            "--host and --port must be free to listen on; try another, or --port 0, which takes "
            f"any that is free (got: {error})"
        ) from error
    # Where a socket does not name its protocol, asyncio lets the second part of an answer wait for
    # the acknowledgement of the first, some 40 ms.
    return socket.socket(family, listener.type, socket.IPPROTO_TCP, fileno=listener.detach())


def _on_hangup(answers: Answers) -> None:
    """Read the artefact again whenever SIGHUP comes, beside what is being answered."""

    def reload() -> None:
        try:
            now = answers.reload_now()
            _LOG.info("reloaded: %r", now.recommender)
        except (ValueError, OSError) as error:
            _LOG.warning("the older artefact is served on: %s", error)

    if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload).start())
