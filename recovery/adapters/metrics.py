"""Every metric with its meaning: the only place where one is named. Exposed by a program at `/metrics`."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METRICS: dict[str, str] = {
    "dunlin_gateway_answers_total": "webhook requests answered, by status and reason; status 200 is an accepted webhook",
    "dunlin_gateway_facts_total": "facts acknowledged by the broker, by type; webhook_parked ones want a look at parked.gateway",
    "dunlin_gateway_accept_seconds": "wall time from a webhook's last byte to its 200, the broker's acknowledgement included",
    "dunlin_gateway_in_flight": "webhooks waiting for the broker at this moment",
}
"""Name and meaning; docs/settings.md lists them."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of the histograms of time, up to the longest wait for the broker."""


def counter(registry: CollectorRegistry, name: str, labels: Sequence[str] = ()) -> Counter:
    """The counter of that name in the table. Raises KeyError for a name that is not there."""
    return Counter(name, METRICS[name], labels, registry=registry)


def gauge(registry: CollectorRegistry, name: str) -> Gauge:
    """The gauge of that name in the table. Raises KeyError for a name that is not there."""
    return Gauge(name, METRICS[name], registry=registry)


def histogram(registry: CollectorRegistry, name: str) -> Histogram:
    """The histogram of seconds of that name in the table. Raises KeyError for a name that is not there."""
    return Histogram(name, METRICS[name], buckets=SECONDS, registry=registry)
