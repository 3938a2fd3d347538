"""Delivers an event to a merchant's endpoint: check the circuit breaker, claim, post, log the attempt, and return the outcome or wait.

A delivery in doubt is repeated under the same webhook-id, by which receivers recognise it (B92).
"""

from datetime import datetime
from typing import Any

import msgspec

from recovery.contracts.effects import WebhookRequested
from recovery.contracts.facts import EndpointDisabled, WebhookSettled
from sinks.effects.performer import Clocks, EffectRun, Outcome, RetryLater, Settled, header
from sinks.effects.webhooks import retry_schedule
from sinks.effects.webhooks.circuit import Circuit, Disabled, EndpointWaits
from sinks.effects.webhooks.delivery_log import DeliveryLog, Tried
from sinks.effects.webhooks.endpoints import Endpoints, Where
from sinks.effects.webhooks.payload import encoded, headers, payload_of, webhook_id
from sinks.effects.webhooks.sender import DeliveryAttempt, Sender

OUR_PAUSE = 10.0
"""Wall seconds before a try that could not be made for a reason of ours is made: it counts neither as a try nor against the endpoint."""


class Webhooks:
    """Performs WebhookRequested."""

    def __init__(self, endpoints: Endpoints, sender: Sender, journal: DeliveryLog, clocks: Clocks) -> None:
        self._endpoints, self._sender, self._journal, self._clocks = endpoints, sender, journal, clocks
        self._circuit = Circuit(journal, clocks)

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with WebhookSettled, or wait for the next try. Raises NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, WebhookRequested):
            raise TypeError(f"{type(effect).__name__} is not a webhook.")
        where = self._endpoints.find(effect.account, effect.endpoint)
        if where is None:
            return self._settled(effect, "skipped", "no_endpoint")
        if self._clocks.business() > effect.not_after:
            return self._settled(effect, "failed", "expired")
        try:
            with self._circuit.admitted((effect.account, effect.endpoint), where.mark):
                return self._try(job, effect, where)
        except EndpointWaits as wait:
            return self._later(effect, str(wait), wait.seconds)
        except Disabled as disabled:
            return self._disabled(effect, disabled)

    def _try(self, job: EffectRun, effect: WebhookRequested, where: Where) -> Outcome:
        body, message, at = encoded(payload_of(effect.event, where.test)), webhook_id(effect.id), self._clocks.wall()
        try:
            signed = headers(message, body, where.secrets, at)
        except ValueError as error:
            found = DeliveryAttempt(why=str(error))
        else:
            job.claim()
            found = self._sender.send(where.url, body, signed, effect.account)
        if found.ours:
            return self._later(effect, found.why, OUR_PAUSE)
        self._journal.record(tried(effect, "dispatcher", at, found))
        self._circuit.learn((effect.account, effect.endpoint), where.mark, found)
        if found.delivered:
            return self._settled(effect, "delivered", "")
        tries, _ = self._journal.tries(effect.id)
        return self._later(effect, found.why, retry_schedule.pause_after(message, tries, found.after))

    def _later(self, effect: WebhookRequested, why: str, pause: float) -> Outcome:
        after = retry_schedule.in_time(pause, self._clocks.business(), effect.not_after)
        return self._settled(effect, "failed", "not_delivered") if after is None else RetryLater(why, after)

    def _disabled(self, effect: WebhookRequested, disabled: Disabled) -> Settled:
        """Published with every delivery that is not made, under one id, so that a crash at the first one does not lose it."""
        name, answer = effect.endpoint, self._settled(effect, "skipped", "endpoint_disabled")
        fact = EndpointDisabled(
            id=f"{effect.account}.~endpoint-{name}.disabled.{int(disabled.at.timestamp())}",
            account=effect.account,
            customer=f"~endpoint-{name}",
            cause=effect.id,
            trace=effect.trace,
            occurred_at=disabled.at,
            received_at=self._clocks.wall(),
            endpoint=name,
            why=str(disabled),
        )
        return msgspec.structs.replace(answer, also=(fact,))

    def _settled(self, effect: WebhookRequested, result: Any, why: str) -> Settled:
        tries, status = self._journal.tries(effect.id)
        result = "failed" if result == "skipped" and tries else result
        fields: dict[str, Any] = {"endpoint": effect.endpoint, "event": effect.event.id, "event_type": effect.event.event_type}
        fact = WebhookSettled(**header(effect, self._clocks), **fields, result=result, why=why, tries=tries, status=status)
        return Settled(fact)


def tried(effect: WebhookRequested, sent_by: str, at: datetime, found: DeliveryAttempt) -> Tried:
    """A try of an effect as the journal keeps it."""
    return Tried(
        effect=effect.id,
        message=webhook_id(effect.id),
        account=effect.account,
        endpoint=effect.endpoint,
        event_type=effect.event.event_type,
        sent_by=sent_by,
        at=at.timestamp(),
        status=found.status,
        seconds=found.seconds,
        why=found.why,
        answer=found.answer,
    )
