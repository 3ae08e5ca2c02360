"""The application: its addresses, and how it says no."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from crane_pyg import __version__
from crane_pyg.limits import cut
from crane_pyg.server import messages
from crane_pyg.server.answers import Answers, from_this_machine
from crane_pyg.server.guards import MOST_BYTES, Guards
from crane_pyg.server.metrics import Counted, Metrics
from crane_pyg.server.replies import Reply
from crane_pyg.server.shop import Shop
from crane_pyg.serving import UnknownIdError
from crane_pyg.serving.item_index import Index

PAGE = Path(__file__).parent / "page"


def create_app(
    artefact: Path | str,
    *,
    pictures: Path | str | None = None,
    hosts: Collection[str] | None = None,
    most_bytes: int = MOST_BYTES,
    body_seconds: float = 20,
    index: Index = "exact",
) -> FastAPI:
    """The application that serves an artefact, for uvicorn or any other ASGI server.

    ``app.state.answers`` is its :class:`~crane_pyg.server.answers.Answers`.

    Args:
        artefact: the folder of ``python -m crane_pyg export``.
        pictures: the folder of the pictures that it names; none are shown without.
        hosts: names by which it may be asked; any if ``None``.
        most_bytes: of a request.
        body_seconds: for a request to arrive.
        index: as :meth:`crane_pyg.serving.Recommender.load` takes it.

    Raises:
        ValueError: if the artefact cannot be read, or there is no folder of pictures.
    """
    shop = Shop(Path(artefact), None if pictures is None else Path(pictures), index)
    metrics = Metrics()
    answers = Answers(shop, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        answers.batcher.close()

    app = FastAPI(
        title="crane_pyg",
        description="Recommendations, similar items, new users and new items of one artefact.",
        version=__version__,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses={
            404: {"model": messages.Refusal, "description": "A user or an item is unknown"},
            422: {"model": messages.Refusal, "description": "The request is not as it must be"},
        },
    )
    app.state.answers = answers
    _add_routes(app, answers)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UnknownIdError, _unknown)
    app.add_exception_handler(ValueError, _refused)
    app.add_exception_handler(HTTPException, _stated)
    app.add_middleware(Guards, hosts=hosts, most=most_bytes, seconds=body_seconds)
    app.add_middleware(Counted, metrics=metrics)
    return app


def _add_routes(app: FastAPI, answers: Answers) -> None:
    local = [Depends(from_this_machine)]
    post, get = {"methods": ["POST"]}, {"methods": ["GET"]}

    def add(path: str, answer: Any, model: Any = None, **more: Any) -> None:
        app.add_api_route(path, answer, response_model=model, **more)

    add("/recommend", answers.recommend, messages.Recommended, **post)
    add("/history", answers.history, messages.RankedItems, **post)
    add("/similar", answers.similar, messages.Similar, **post)
    add("/explain", answers.explain, messages.Explanation, **post)
    add("/items", answers.items, messages.ItemsPage, **get)
    add("/items", answers.add_item, messages.Item, status_code=201, dependencies=local, **post)
    add("/health", answers.health, messages.Health, **get)
    add("/metrics", answers.metrics_text, **get)
    add("/reload", answers.reload, dependencies=local, **post)
    add("/pictures/{name:path}", answers.picture, **get)
    add("/new-pictures/{item}", answers.new_picture, **get)
    app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE))


async def _page() -> FileResponse:
    return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})


async def _invalid(request: Request, error: Exception) -> Reply:
    """Where a request is not as it must be; without what it held, which may be anything."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        f"{'.'.join(str(part) for part in fault['loc'][1:]) or fault['loc'][0]}: {fault['msg']}"
        for fault in error.errors()[:5]
    ]
    return Reply.refusal(422, cut("; ".join(wrong)))


async def _unknown(request: Request, error: Exception) -> Reply:
    return Reply.refusal(404, str(error))


async def _refused(request: Request, error: Exception) -> Reply:
    return Reply.refusal(422, str(error))


async def _stated(request: Request, error: Exception) -> Reply:
    assert isinstance(error, HTTPException)
    reply = Reply.refusal(error.status_code, str(error.detail))
    reply.headers.update(error.headers or {})
    return reply
