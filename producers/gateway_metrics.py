"""The gateway's own figures, counted where they happen and shown at /metrics."""

from prometheus_client import CollectorRegistry, Counter, generate_latest

from recovery.adapters.metrics import counter, gauge, histogram
from recovery.contracts.facts import Fact


class GatewayMetrics:
    """Counts answers, facts and waiting time; label children are looked up once, since this is the hot path."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = counter(self._registry, "dunlin_gateway_answers_total", ("status", "reason"))
        self._facts = counter(self._registry, "dunlin_gateway_facts_total", ("type",))
        self._seconds = histogram(self._registry, "dunlin_gateway_accept_seconds")
        self.in_flight = gauge(self._registry, "dunlin_gateway_in_flight")
        self._answer_children: dict[tuple[int, str], Counter] = {}
        self._fact_children: dict[type[Fact], Counter] = {}

    def answered(self, status: int, reason: str) -> None:
        """Count an answer."""
        child = self._answer_children.get((status, reason))
        if child is None:
            child = self._answer_children[status, reason] = self._answers.labels(str(status), reason)
        child.inc()

    def accepted(self, fact: type[Fact], seconds: float) -> None:
        """Count an acknowledged fact and how long it took."""
        child = self._fact_children.get(fact)
        if child is None:
            child = self._fact_children[fact] = self._facts.labels(str(fact.__struct_config__.tag))
        child.inc()
        self._seconds.observe(seconds)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
