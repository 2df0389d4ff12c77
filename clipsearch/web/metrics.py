"""Export Prometheus metrics: requests, latencies, use of the encoder."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.encoders.batching import SharedEncoder
from clipsearch.web.state import Site

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self, site: Site) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_SiteCollector(site))
        self.requests = Counter(
            "clipsearch_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "clipsearch_request_seconds",
            "Latency from a request to the first byte of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)


class MeteredApp:
    """ASGI middleware that counts requests by route; queries are not recorded."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def metered_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"
                self._metrics.requests.labels(method, route, str(message["status"])).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, metered_send)


class _SiteCollector(Collector):
    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        status, job = self._site.status, self._site.job.status
        yield GaugeMetricFamily("clipsearch_pictures", "Different pictures in the catalog.", value=status.pictures)
        yield GaugeMetricFamily("clipsearch_captions", "Captions in the catalog.", value=status.captions)
        yield GaugeMetricFamily("clipsearch_indexing", "1 while a folder is indexed.", value=job.state == "running")
        yield GaugeMetricFamily("clipsearch_index_done", "Pictures processed by the last run.", value=job.done)
        if status.model is not None and isinstance(encoder := self._site.catalog.encoder, SharedEncoder):
            yield CounterMetricFamily(
                "clipsearch_encoder_calls", "Calls of the model, each with any number of inputs.", encoder.calls
            )
            yield CounterMetricFamily(
                "clipsearch_encoder_inputs", "Texts and pictures encoded by the model.", encoder.inputs
            )
