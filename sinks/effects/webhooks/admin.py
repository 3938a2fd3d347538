"""Operations on webhooks: list deliveries, send them again under their own ids, test and enable an endpoint.

It sends by itself, so it works whether or not the effects sink runs, by the same rules about addresses of endpoints.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from recovery.contracts.effects import WebhookRequested
from recovery.contracts.encoding.codec import Unprocessable, decode_effect
from recovery.vocabulary import Clock
from sinks.effects.webhooks.circuit import half_open, standing
from sinks.effects.webhooks.delivery_log import DeliveryLog, Health, Tried
from sinks.effects.webhooks.endpoints import Endpoints, Where
from sinks.effects.webhooks.payload import TEST_TYPE, WebhookPayload, encoded, headers, payload_of, webhook_id
from sinks.effects.webhooks.performer import tried
from sinks.effects.webhooks.sender import DeliveryAttempt, Sender


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its request and its tries. `headers` and `body` are empty when the ledger has forgotten the event."""

    message: str
    effect: str
    account: str
    endpoint: str
    url: str
    headers: dict[str, str]
    body: msgspec.Raw
    tries: list[Tried]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an endpoint: well, failing or disabled; `why` it is disabled."""

    account: str
    endpoint: str
    url: str
    secrets: int
    standing: str
    failures: int
    why: str


class DeliveryAdmin:
    """The commands of `dunlin webhooks`. Raises LookupError in words for what does not exist, SQLAlchemyError without the database."""

    def __init__(self, endpoints: Endpoints, sender: Sender, journal: DeliveryLog, wall: Clock) -> None:
        self._endpoints, self._sender, self._journal, self._wall = endpoints, sender, journal, wall

    def show(self, reference: str) -> Delivery:
        """A delivery by its webhook-id or its effect's id."""
        tries = self._journal.of_delivery(reference)
        known = tries[0].effect if tries else reference
        effect = self._effects([known]).get(known)
        if effect is None and not tries:
            raise LookupError(f"No delivery {reference} is known. `dunlin webhooks log` lists those of the last 30 days.")
        account, name = (tries[0].account, tries[0].endpoint) if effect is None else (effect.account, effect.endpoint)
        where = self._endpoints.find(account, name)
        body = b"null" if effect is None else encoded(payload_of(effect.event, where is None or where.test))
        signed = {} if effect is None or where is None else headers(webhook_id(effect.id), body, where.secrets, self._wall())
        if signed:
            secrets = len(where.secrets) if where is not None else 0
            signed |= {"webhook-timestamp": "<of each try>", "webhook-signature": f"<made anew for each try; secrets that sign: {secrets}>"}
        return Delivery(
            message=tries[0].message if effect is None else webhook_id(effect.id),
            effect=tries[0].effect if effect is None else effect.id,
            account=account,
            endpoint=name,
            url="" if where is None else where.url,
            headers=signed,
            body=msgspec.Raw(body),
            tries=tries,
        )

    def within(
        self, account: str, since: datetime, until: datetime, endpoint: str = "", types: tuple[str, ...] = (), failed: bool = False
    ) -> list[str]:
        """The effects of an account with a try in a range of wall time, or that came in it and were answered without a try, as while their
        endpoint was switched off; oldest first. With `failed` those that were never taken."""
        begin, end = since.timestamp(), until.timestamp()
        found = self._journal.latest(account, endpoint=endpoint, types=types, since=begin, until=end)
        times = {one.effect: one.at for one in found if one.sent_by != "test"}
        untried = self._journal.untried(account, begin, end)
        for name, effect in self._effects(list(untried)).items():
            if endpoint in {"", effect.endpoint} and (not types or effect.event.event_type in types):
                times[name] = untried[name]
        effects = sorted(times, key=times.__getitem__)
        return [each for each in effects if not (failed and any(one.delivered for one in self._journal.of_delivery(each)))]

    def replay(self, reference: str) -> Tried:
        """Send a delivery again, now, under its own webhook-id; receivers that keep those recognise it."""
        tries = self._journal.of_delivery(reference)
        wanted = tries[0].effect if tries else reference
        effect = self._effects([wanted]).get(wanted)
        if effect is None:
            raise LookupError(
                f"The ledger has no event for {reference}: it keeps them until 60 days after their delivery's end. "
                "Older events are in ClickHouse, in dunlin.events. `dunlin webhooks log` lists what was tried in the last 30 days."
            )
        where = self._where(effect.account, effect.endpoint)
        health = self._journal.health(effect.account, effect.endpoint)
        if standing(health, where.mark) == "disabled":
            raise LookupError(f"{effect.endpoint} is switched off: {health.why}. `dunlin webhooks enable` first.")
        at, body, message = self._wall(), encoded(payload_of(effect.event, where.test)), webhook_id(effect.id)
        done = tried(effect, "replay", at, self._send(where, message, body, at))
        self._journal.record(done)
        return done

    def test(self, account: str, name: str) -> Tried:
        """Send a signed test event, also to an endpoint that is switched off."""
        where, at = self._where(account, name), self._wall()
        effect = f"{account}.~test.webhook-{name}.{int(at.timestamp() * 1000)}"
        message = webhook_id(effect)
        body = encoded(WebhookPayload(id=message, type=TEST_TYPE, account=account, occurred_at=at, test=True))
        found = self._send(where, message, body, at)
        done = Tried(
            effect=effect,
            message=message,
            account=account,
            endpoint=name,
            event_type=TEST_TYPE,
            sent_by="test",
            at=at.timestamp(),
            status=found.status,
            seconds=found.seconds,
            why=found.why,
            answer=found.answer,
        )
        self._journal.record(done)
        return done

    def enable(self, account: str, name: str) -> bool:
        """Let deliveries go to an endpoint again, the first ones as probes. Returns whether it was switched off."""
        where, health = self._where(account, name), self._journal.health(account, name)
        was_off = standing(health, where.mark) == "disabled"
        if health != Health():
            self._journal.keep_health(account, name, half_open(health))
        return was_off

    def standings(self, wanted: Iterable[tuple[str, str]]) -> list[Standing]:
        """How these endpoints stand."""
        found = []
        for account, name in wanted:
            where, health = self._where(account, name), self._journal.health(account, name)
            state = standing(health, where.mark)
            why = health.why if state == "disabled" else ""
            found.append(
                Standing(
                    account=account,
                    endpoint=name,
                    url=where.url,
                    secrets=len(where.secrets),
                    standing=state,
                    failures=health.failures,
                    why=why,
                )
            )
        return found

    def _where(self, account: str, name: str) -> Where:
        if (where := self._endpoints.find(account, name)) is None:
            raise LookupError(f"{account} has no endpoint {name!r}; [tenant.endpoints.NAME] in the tenants file makes one.")
        return where

    def _send(self, where: Where, message: str, body: bytes, at: datetime) -> DeliveryAttempt:
        try:
            signed = headers(message, body, where.secrets, at)
        except ValueError as error:
            return DeliveryAttempt(why=str(error))
        return self._sender.send(where.url, body, signed)

    def _effects(self, wanted: list[str]) -> dict[str, WebhookRequested]:
        found: dict[str, WebhookRequested] = {}
        for name, body in self._journal.bodies(wanted).items():
            try:
                effect = decode_effect(body)
            except Unprocessable:  # of a newer version of the program: as good as gone
                continue
            if isinstance(effect, WebhookRequested):
                found[name] = effect
        return found
