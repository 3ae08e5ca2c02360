"""What each address of the server answers."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

from fastapi import HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from crane_pyg.server import messages
from crane_pyg.server.batching import Batcher
from crane_pyg.server.guards import LOOPBACK
from crane_pyg.server.metrics import Metrics
from crane_pyg.server.pictures import MEDIA, media_of
from crane_pyg.server.questions import OfHistories, OfItems, OfUsers, Why
from crane_pyg.server.replies import Reply
from crane_pyg.server.shop import FullError, Shop, Snapshot
from crane_pyg.serving.ranking import Ranking

Words = Annotated[str, Query(max_length=200, description="words of titles or ids")]
Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=200)]


class Answers:
    """Answers requests from the shop's current snapshot.

    Args:
        shop: what is served.
        metrics: what counts.
    """

    def __init__(self, shop: Shop, metrics: Metrics) -> None:
        self.shop, self.metrics = shop, metrics
        self.batcher = Batcher(observe=metrics.batch.observe)
        self._adding = asyncio.Semaphore(1)
        self.count(shop.now)

    def count(self, now: Snapshot) -> None:
        """Tell the metrics how large a snapshot is."""
        self.metrics.users.set(len(now.recommender.user_ids))
        self.metrics.items.set(len(now.recommender.item_ids))

    async def recommend(self, request: messages.RecommendRequest) -> Reply:
        """Items for known users, as `crane_pyg recommend` ranks them."""
        now = self.shop.now
        question = OfUsers(
            now.recommender,
            request.k,
            request.filter_seen,
            request.unknown,
            request.content_weight,
            None if request.items is None else tuple(request.items),
            None if request.exclude is None else tuple(request.exclude),
        )
        rankings = await self.batcher.ask(question, tuple(request.users))
        return _lists("user", request.users, rankings, now)

    async def history(self, request: messages.HistoryRequest) -> Reply:
        """Items for somebody new, from what they took: at once, nothing is trained."""
        now = self.shop.now
        question = OfHistories(
            now.recommender, request.k, request.filter_seen, request.content_weight
        )
        ranking = await self.batcher.ask(question, tuple(request.items))
        return Reply({"items": now.catalogue.ranked(ranking)})

    async def similar(self, request: messages.SimilarRequest) -> Reply:
        """Items like others, by what people took, or by what they look, read or sound like."""
        now = self.shop.now
        question = OfItems(now.recommender, request.k, request.by)
        rankings = await self.batcher.ask(question, tuple(request.items))
        return _lists("item", request.items, rankings, now)

    async def explain(self, request: messages.ExplainRequest) -> Reply:
        """Which items of the history speak for an item, over which edge, and how much."""
        if (request.user is None) == (request.history is None):
            raise HTTPException(422, "an explanation is for a user or for a history, one of both")
        now = self.shop.now
        who = request.user or tuple(request.history or ())
        found = await self.batcher.ask(Why(now.recommender), (who, request.item))
        contributions = [
            {"item": now.catalogue.item(part.item), "edge": part.edge, "amount": part.amount}
            for part in found.contributions
        ]
        return Reply(
            {
                "item": now.catalogue.item(found.item),
                "score": found.score,
                "contributions": contributions,
                "own": found.own,
                "baseline": found.baseline,
            }
        )

    async def items(self, search: Words = "", offset: Offset = 0, limit: Limit = 24) -> Reply:
        """Items by the words of their titles, the most popular first."""
        return Reply(await asyncio.to_thread(self.shop.now.catalogue.page, search, offset, limit))

    async def add_item(self, request: messages.NewItemRequest) -> Reply:
        """Try an item that nobody has taken: it is encoded as the others were, and ranked with them
        until the server ends or reloads. From this machine alone."""
        picture = None
        if request.picture is not None:
            try:
                picture = base64.b64decode(request.picture, validate=True)
            except (binascii.Error, ValueError) as error:
                raise HTTPException(422, f"picture must be base64 (got: {error})") from error
            if media_of(picture) is None:
                raise HTTPException(422, "picture must be a JPEG, PNG, WebP or GIF")
        async with self._adding:
            try:
                name = await asyncio.to_thread(
                    self.shop.try_item, request.title, request.text, picture
                )
            except FullError as error:
                raise HTTPException(409, str(error)) from error
        self.count(self.shop.now)
        return Reply(self.shop.now.catalogue.item(name), 201)

    async def picture(self, name: str) -> Response:
        """A picture by the name that the artefact has for it."""
        pictures = self.shop.now.pictures
        path = None if pictures is None else await asyncio.to_thread(pictures.find, name)
        if path is None:
            raise HTTPException(404, "no item has such a picture")
        return FileResponse(
            path, media_type=MEDIA[path.suffix.lower()], headers={"cache-control": "max-age=600"}
        )

    async def new_picture(self, item: str) -> Response:
        """The picture of an item that is tried."""
        content = self.shop.now.new_pictures.get(item)
        if content is None:
            raise HTTPException(404, "no new item has such a picture")
        return Response(content, media_type=media_of(content))

    async def health(self) -> Reply:
        """What is served."""
        now = self.shop.now
        about = now.recommender.about
        return Reply(
            {
                "status": "ok",
                "name": str(about.get("data", {}).get("dataset", "shop")),
                "model": str(about.get("model", "")),
                "users": len(now.recommender.user_ids),
                "items": len(now.recommender.item_ids),
                "new_items": now.num_new,
                "modalities": now.recommender.modalities,
                "pictures": now.pictures is not None,
                "loaded": now.loaded,
            }
        )

    async def metrics_text(self) -> Response:
        """Counts and times, for Prometheus."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def reload(self) -> Reply:
        """Read the artefact again, and serve the newer one: requests under way end with the older.
        From this machine alone."""
        try:
            now = await asyncio.to_thread(self.reload_now)
        except (ValueError, OSError) as error:
            raise HTTPException(409, f"the older artefact is served on: {error}") from error
        return Reply({"loaded": now.loaded, "items": len(now.recommender.item_ids)})

    def reload_now(self) -> Snapshot:
        """Read the artefact again.

        Raises:
            ValueError: if it cannot be read. What was served is served on.
        """
        result = "failed"
        try:
            now = self.shop.reload()
            result = "done"
        finally:
            self.metrics.reloads.labels(result).inc()
        self.count(now)
        return now


def _lists(kind: str, names: Sequence[str], rankings: Sequence[Ranking], now: Snapshot) -> Reply:
    """A list of items for each of those that were asked for."""
    results = [
        {kind: name, "items": now.catalogue.ranked(ranking)}
        for name, ranking in zip(names, rankings, strict=True)
    ]
    return Reply({"results": results})


def from_this_machine(request: Request) -> None:
    """Refuse whoever asks from elsewhere.

    Raises:
        HTTPException: with status 403.
    """
    if request.client is None or request.client.host not in LOOPBACK:
        raise HTTPException(403, "only this machine itself may ask for that")
