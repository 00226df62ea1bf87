"""Prometheus metrics: how the system is doing, read when somebody scrapes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.health import Health


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One look at the system as gauges."""

    found: dict[str, Any]

    def collect(self) -> Iterator[Metric]:
        """The gauges; called by the registry."""
        for part in ("postgres", "redis", "live", "ready"):
            yield GaugeMetricFamily(f"vidura_{part}", f"Whether {part} is up.", float(self.found[part]))
        lag = self.found.get("relay_lag_seconds", 0.0)
        yield GaugeMetricFamily("vidura_relay_lag_seconds", "Age of the oldest event not yet published.", lag)
        workers = GaugeMetricFamily("vidura_workers", "Workers that have checked in.", labels=["queue"])
        for queue, number in self.found.get("workers", {}).items():
            workers.add_metric([queue], number)
        yield workers
        for name, says in (
            ("ready", "Stages that wait for a worker."),
            ("running", "Stages at work."),
            ("oldest_seconds", "Age of the oldest stage that waits."),
        ):
            gauge = GaugeMetricFamily(f"vidura_stages_{name}", says, labels=["queue"])
            for queue, numbers in self.found.get("queues", {}).items():
                gauge.add_metric([queue], numbers[name])
            yield gauge


def route(health: Health) -> Route:
    """`/metrics`."""

    async def metrics(_: Request) -> Response:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(Snapshot(await health.look()))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)
