"""Every metric with its meaning: the only place where one is named. Exposed by a program at `/metrics`."""

METRICS: dict[str, str] = {
    "dunlin_gateway_answers_total": "webhook requests answered, by status and reason; status 200 is an accepted webhook",
    "dunlin_gateway_door_answers_total": "responses of the other routes (links, mail, sms), by route, status and reason",
    "dunlin_gateway_facts_total": "facts acknowledged by the broker, by type; check parked.gateway for each webhook_parked",
    "dunlin_gateway_accept_seconds": "wall time from a webhook's last byte to its 200, the broker's acknowledgement included",
    "dunlin_gateway_in_flight": "webhooks waiting for the broker at this moment",
}
"""Name and meaning; docs/settings.md lists them."""

SECONDS: tuple[float, ...] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of the histograms of time, up to the longest wait for the broker."""
