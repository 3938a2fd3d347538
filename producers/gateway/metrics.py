"""The gateway's own figures, counted where they happen and shown at /metrics."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from recovery.adapters.metrics import METRICS, SECONDS
from recovery.contracts.facts import Fact


class GatewayMetrics(Collector):
    """Counts responses, facts and latency in plain numbers, because this is the hot path; they become metrics when Prometheus scrapes."""

    def __init__(self) -> None:
        self.in_flight: Callable[[], int] = lambda: 0
        self._answers: Counter[tuple[int, str]] = Counter()
        self._routes: Counter[tuple[str, int, str]] = Counter()
        self._facts: Counter[type[Fact]] = Counter()
        self._buckets = [0] * (len(SECONDS) + 1)
        self._sum = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, status: int, reason: str) -> None:
        """Count an answer."""
        self._answers[status, reason] += 1

    def answered_at(self, route: str, status: int, reason: str) -> None:
        """Count a response of one of the other routes (producers.gateway.router)."""
        self._routes[route, status, reason] += 1

    def accepted(self, fact: type[Fact], seconds: float) -> None:
        """Count an acknowledged fact and how long it took."""
        self._facts[fact] += 1
        self._buckets[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The figures as metrics, named by the table."""
        answers = CounterMetricFamily(*_named("dunlin_gateway_answers_total"), labels=("status", "reason"))
        for (status, reason), count in self._answers.items():
            answers.add_metric((str(status), reason), count)
        routes = CounterMetricFamily(*_named("dunlin_gateway_door_answers_total"), labels=("door", "status", "reason"))
        for (route, status, reason), count in self._routes.items():
            routes.add_metric((route, str(status), reason), count)
        facts = CounterMetricFamily(*_named("dunlin_gateway_facts_total"), labels=("type",))
        for fact, count in self._facts.items():
            facts.add_metric((str(fact.__struct_config__.tag),), count)
        bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._buckets), strict=True))
        seconds = HistogramMetricFamily(*_named("dunlin_gateway_accept_seconds"), buckets=buckets, sum_value=self._sum)
        yield from (answers, routes, facts, seconds, GaugeMetricFamily(*_named("dunlin_gateway_in_flight"), value=self.in_flight()))


def _named(name: str) -> tuple[str, str]:
    return name, METRICS[name]
