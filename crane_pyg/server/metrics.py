"""What a server counts, as Prometheus reads it."""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metrics:
    """Requests by path and status, their seconds, sizes of batches, reloads, and the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "crane_requests", "Requests", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "crane_request_seconds",
            "Seconds from a request to its answer",
            ["path"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.batch = Histogram(
            "crane_batch_size",
            "Requests answered with one product",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.reloads = Counter("crane_reloads", "Reloads", ["result"], registry=self.registry)
        self.users = Gauge("crane_users", "Users of the artefact", registry=self.registry)
        self.items = Gauge("crane_items", "Items that are ranked", registry=self.registry)

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self.registry)


class Counted:
    """Counts requests and their seconds.

    Args:
        app: what answers.
        metrics: what counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            # The route's own path: those of requests are without number.
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(path, status).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - start)
