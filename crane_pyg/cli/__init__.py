"""``python -m crane_pyg``: what a person runs."""

import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crane_pyg.cli.commands import COMMANDS, build_parser

_MOST = 2000  # characters of an error that people read

TOGETHER = ("train", "recommend")  # what several ranks run as one


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command.

    A mistake of the user's ends in one line and exit status 2, an interrupt in one line and 130;
    status 1 is for what was done and found wanting, as a run of ``compare`` that failed.
    """
    # Of large tables on huge pages, rows far apart are read faster. torch asks this once, when it
    # makes its first tensor.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack characters of a report
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    named = next((word for word in words if word in COMMANDS), None)
    try:
        with _ranks(named):
            args = build_parser(() if named is None else (named,)).parse_args(words)
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            is_quiet = getattr(args, "quiet", False)
            logging.getLogger().setLevel(logging.WARNING if is_quiet else logging.INFO)
            args.run(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError) as error:
        text = str(error)
        cut = text if len(text) <= _MOST else f"{text[: _MOST // 2]} ... {text[-_MOST // 2 :]}"
        print("error:", *cut.split(), file=sys.stderr)
        raise SystemExit(2) from error


@contextmanager
def _ranks(named: str | None) -> Iterator[None]:
    """Joins the ranks that a launcher started, if this command is for several."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    from crane_pyg import ranks

    with ranks.together():
        if ranks.size() > 1 and named not in (None, *TOGETHER):
            raise ValueError(f"torchrun is for {' and '.join(TOGETHER)} (got {ranks.size()} ranks)")
        yield
