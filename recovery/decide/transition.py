"""Collects the events and effects of one state transition, and stamps each event with the case's final status."""

from datetime import datetime, timedelta
from typing import Any, Literal

from recovery.contracts.customer import Account, CardAttempt, Case, Customer, PendingEffect
from recovery.contracts.effects import (
    AlsoOwed,
    ChargeRequested,
    Effect,
    EffectWithdrawn,
    FurtherOwed,
    MessageRequested,
    ReadRequested,
    RetryTimesRequested,
    SubscriptionEndRequested,
)
from recovery.contracts.events import OUTCOME_TYPES, Event, EventType
from recovery.contracts.facts import Fact, TimePassed
from recovery.decide.rules import budgets
from recovery.decide.rules.schedule import spread
from recovery.decide.termination import most_events, too_many
from recovery.ids import effect_id

VALID = timedelta(hours=24)
"""How long after its request an effect may be performed."""
MARGIN = timedelta(hours=1)
"""How long after that deadline we wait for its outcome before we read the invoice."""
REPEATED_WITHIN = timedelta(days=180)
"""How long after the first report a fact may be reported again, by a provider or by a redrive; ended cases are kept for as long."""
OTHERS_FROM = 2
"""The dunning step from which further billing contacts are written to."""
SILENT: frozenset[str] = frozenset(
    {"fact_had_no_effect", "duplicate_fact_ignored", "retry_times_refused", "command_refused", "shadow_decision_differed"}
) | frozenset({"message_opened", "message_clicked", "message_delivered", "message_undelivered", "message_received"})
"""Events that do not carry a case's status."""
STANDING: frozenset[str] = OUTCOME_TYPES | {"retry_attempted"}
"""Events that set a case's status even after its end; others that arrive late leave its final status alone."""


class Transition:
    """What `advance` carries from hand to hand. `at` is the business time of what happens, `now` that of the decisions."""

    __slots__ = ("_most", "_pending", "account", "at", "effects", "events", "fact", "noop_reason", "now", "policy", "row")

    def __init__(self, row: Customer, fact: Fact, now: datetime, account: Account) -> None:
        self.row = row
        self.fact = fact
        self.now = now
        self.at = now if isinstance(fact, TimePassed) else fact.occurred_at
        self.account = account
        self.policy = account.policy
        self.effects: list[Effect] = []
        self.events: list[Event] = []
        self.noop_reason = "nothing_to_do"
        self._pending: list[tuple[Case | None, bool]] = []
        self._most = most_events(len(row.cases) + 1)

    def record(self, event_type: EventType, case: Case, reason: str = "", **fields: Any) -> None:
        """Record that something happened to a case; its standing is filled in at the end of the turn."""
        case.sequence += 1
        event = self._event(event_type, reason, fields)
        event.invoice, event.subscription, event.sequence = case.invoice, case.subscription, case.sequence
        event.amount_minor, event.currency = case.outstanding_minor + case.part_minor, case.currency
        self.events.append(event)
        self._pending.append((case, event_type not in SILENT and (case.ended_at is None or event_type in STANDING)))

    def record_unscoped(self, event_type: EventType, reason: str = "", **fields: Any) -> None:
        """Record something that concerns no case; it has no place in a case's sequence, so its `sequence` is 0."""
        event = self._event(event_type, reason, fields)
        event.invoice = self.fact.invoice
        self.events.append(event)
        self._pending.append((None, False))

    def _event(self, event_type: EventType, reason: str, fields: dict[str, Any]) -> Event:
        fact = self.fact
        if len(self.events) >= self._most:
            raise too_many(self.row.customer, self._most)
        return Event(
            event_type=event_type,
            account=self.row.account,
            customer=self.row.customer,
            occurred_at=self.at,
            received_at=fact.received_at,
            cause=fact.id,
            cause_type=str(fact.__struct_config__.tag),
            trace=fact.trace,
            policy_version=self.account.policy_version,
            reason=reason,
            **fields,
        )

    def request_read(self, case: Case) -> None:
        """Request a read of the invoice."""
        effect = ReadRequested(**self._header(case, "read"), not_after=self.now + VALID, only_if="always")
        self._set_pending(case, effect, "read")
        self.record("read_requested", case, case.reason, effect=effect.id)

    def request_charge(self, case: Case, because: str) -> None:
        """Ask for a charge of what is owed, as the next position of the ladder."""
        effect = ChargeRequested(
            **self._header(case, "charge"),
            not_after=self.now + VALID,
            attempt=case.ladder_position + 1,
            amount_minor=case.outstanding_minor,
            currency=case.currency,
            subscription=case.subscription,
            stripe_gap_hours=self.policy.retry.stripe_gap_hours,
            because=because,
        )
        case.charges[effect.id] = ""
        fingerprint, brand = (case.card.fingerprint, case.card.brand) if case.card is not None else ("", "")
        budgets.reserve(self.row, CardAttempt(effect.id, self.now, case.invoice, fingerprint, brand, succeeded=False))
        if case.manual_retry and because == "by_hand":
            case.manual_charge = effect.id
        self._set_pending(case, effect, "charge")
        self.record("retry_requested", case, because, effect=effect.id)

    def request_retry_times(self, case: Case, **known: Any) -> str:
        """Request offered retry times; the case does not wait for them. Returns the request's id."""
        amounts: dict[str, Any] = {"amount_minor": case.outstanding_minor, "currency": case.currency, "subscription": case.subscription}
        effect = RetryTimesRequested(**self._header(case, "plan"), not_after=self.now + VALID, **(amounts | known))
        self.effects.append(effect)
        return effect.id

    def request_message(
        self, case: Case, step: int, because: str, also: tuple[AlsoOwed, ...] = (), further: tuple[FurtherOwed, ...] = ()
    ) -> MessageRequested:
        """Ask for the mail of a dunning step; `also` are the other invoices that it names, `further` sums up those that it does not."""
        effect = self.message(case, "message", f"payment_failed_{step}", step=step, because=because, also=also, further=further)
        self._set_pending(case, effect, "message")
        details = {"also": " ".join(owed.invoice for owed in also)} if also else {}
        details |= {"further": str(sum(owed.count for owed in further))} if further else {}
        self.record("dunning_requested", case, because, effect=effect.id, details=details)
        return effect

    def request_sms(self, case: Case, step: int, because: str, until: datetime) -> MessageRequested:
        """Ask for the SMS that goes with a dunning step, to leave before `until` or never (B52)."""
        not_after = min(until, self.now + VALID)
        effect = self.message(case, "sms", f"payment_failed_{step}", step=step, because=because, medium="sms", not_after=not_after)
        self._set_pending(case, effect, "message")
        self.record("dunning_requested", case, because, effect=effect.id, details={"medium": "sms"})
        return effect

    def message(self, case: Case, kind: str, template: str, **fields: Any) -> MessageRequested:
        """Request a message about a case. It carries the decline's reason only where a customer may learn it
        (https://docs.stripe.com/declines/codes)."""
        verdict = case.verdict
        values: dict[str, Any] = {
            "decline_kind": verdict.kind if verdict else "",
            "decline_reason": verdict.code if verdict and verdict.code and not verdict.generic else "generic",
            "amount_minor": case.outstanding_minor,
            "currency": case.currency,
            "subscription": case.subscription,
            "to": _to_whom(case, kind, fields["step"]),
            "unsubscribe": self.policy.contact.honour_unsubscribe,
            "not_after": self.now + VALID,
        }
        return MessageRequested(**self._header(case, kind), template=template, **(values | fields))

    def request_transactional_mail(self, case: Case, template: str, only_if: Literal["invoice_paid", "invoice_open"]) -> None:
        """Request a transactional mail; the case does not wait for its outcome."""
        effect = self.message(case, "notice", template, step=0, only_if=only_if)
        self.effects.append(effect)
        self.record("transactional_mail_requested", case, template, effect=effect.id)

    def request_end_action(self, case: Case, action: Literal["cancel", "unpaid", "uncollectible"]) -> None:
        """Request the merchant's end action; the case does not wait for its outcome (B73)."""
        header = self._header(case, "end")
        effect = SubscriptionEndRequested(**header, not_after=self.now + VALID, action=action, subscription=case.subscription)
        case.end_request = effect.id
        self.effects.append(effect)
        self.record("end_action_requested", case, action, effect=effect.id)

    def request_charge_read(self, charge: str, to: str, dispute: str = "", **known: Any) -> None:
        """Request a read of a charge: its customer and its state. `to` is the customer, or the object, whose state this is."""
        header = self.header(f"{charge}~{dispute or to.lstrip('~')}", "read") | {"customer": to}
        effect = ReadRequested(**header, not_after=self.now + 7 * VALID, only_if="always", what="charge", object=charge, **known)
        self.effects.append(effect)
        self.record_unscoped("read_requested", "whose_charge", effect=effect.id, details={"charge": charge})

    def header(self, about: str, kind: str) -> dict[str, Any]:
        """The header of a request without a case. `about` names the object that it concerns, and what distinguishes it from the requests of
        other customers, or of this one before it was forgotten, whose numbers start over."""
        self.row.requests += 1
        return self._common(effect_id(self.row.account, f"~{about}", kind, self.row.requests))

    def notification_header(self, event: Event, kind: str, number: int) -> dict[str, Any]:
        """The header of a notification of the transition's `number`-th event; its id is derived from the event's position."""
        account, fact = self.row.account, self.fact
        about, place = (event.invoice, event.sequence) if event.sequence else (f"~{fact.id}", number)
        if not event.sequence:  # the fact's repeat would ask under the same id: the row is kept until none is to be expected
            keep = self.now + REPEATED_WITHIN
            self.row.forget_at = max(keep, self.row.forget_at or keep)
        return self._common(effect_id(account, about, kind, place)) | {"invoice": event.invoice}

    def withdraw(self, case: Case, because: str) -> None:
        """Take back what is in flight, if anything is; its outcome may still come."""
        flight, case.pending_effect = case.pending_effect, None
        if flight is None or flight.lead:  # a mail that it only joined: the sender leaves out what is not owed
            return
        for other in self.row.cases.values():
            if other.pending_effect is not None and other.pending_effect.effect == flight.effect:
                other.pending_effect, other.dunning_step, other.dunning_at = None, other.dunning_step - 1, self.now
                self.record("dunning_skipped", other, "joined_mail_withdrawn", effect=flight.effect)
        header = self._header(case, "withdrawal")
        self.effects.append(
            EffectWithdrawn(**header, not_after=self.now + 7 * VALID, only_if="always", effect=flight.effect, because=because)
        )
        self.record("effect_withdrawn", case, because, effect=flight.effect, details={"kind": flight.kind})

    def _header(self, case: Case, kind: str) -> dict[str, Any]:
        case.requests += 1
        return self._common(effect_id(self.row.account, case.invoice, kind, case.requests)) | {"invoice": case.invoice}

    def _common(self, id: str) -> dict[str, Any]:
        fact = self.fact
        return {
            "id": id,
            "account": self.row.account,
            "customer": self.row.customer,
            "occurred_at": max(self.at, self.now),  # an answer may be old, what is asked for is asked for now
            "received_at": fact.received_at,
            "cause": fact.id,
            "trace": fact.trace,
        }

    def _set_pending(self, case: Case, effect: Effect, kind: Any) -> None:
        case.pending_effect = PendingEffect(effect.id, kind, effect.not_after + MARGIN)
        self.effects.append(effect)

    def close(self) -> None:
        """Fill in how the cases stand now, in every event of the turn."""
        shown: Case | None = None
        following: tuple[str, datetime | None] = ("", None)
        for event, (case, stands) in zip(self.events, self._pending, strict=True):
            if case is None:
                continue
            event.retry_count, event.dunning_step = case.retry_count, case.dunning_step
            if stands:
                if case is not shown:
                    shown, following = case, self._next(case)
                event.status = case.status
                event.next_action, event.next_action_at = following
                event.reason = event.reason or case.reason
            if case.verdict is not None:
                event.decline_kind, event.decline_code = case.verdict.kind, case.verdict.code

    def _next(self, case: Case) -> tuple[str, datetime | None]:
        """What comes next as people see it: nothing before the end of a snooze, but for the answer that is awaited (B60)."""
        what, at = next_action(case)
        if at is None or not self.row.holds or case.pending_effect is not None or not case.active:
            return what, at
        ends = [hold.until for key in ("", case.invoice) if (hold := self.row.holds.get(key)) is not None and hold.until is not None]
        return what, max([at, *(spread(case, end) for end in ends if end > self.now)])


def _to_whom(case: Case, kind: str, step: int) -> Literal["owner", "everyone"]:
    """The owner alone at first, every billing contact from the second mail on (B56); a notice goes to those who had the mails."""
    return "everyone" if kind != "sms" and (step or case.dunning_step) >= OTHERS_FROM else "owner"


def next_action(case: Case) -> tuple[str, datetime | None]:
    """What comes next for a case, and when: an awaited answer with its last moment, or the earliest appointment."""
    if case.pending_effect is not None:
        return f"await_{case.pending_effect.kind}", case.pending_effect.deadline
    nearest, what = case.read_at, "read"
    if frozen(case):
        return ("read", nearest) if nearest is not None else ("", None)
    if case.retry_at is not None and (nearest is None or case.retry_at < nearest):
        nearest, what = case.retry_at, "retry"
    if case.dunning_at is not None and (nearest is None or case.dunning_at < nearest):
        nearest, what = case.dunning_at, "dunning" if case.dunning_step < 3 else "abandon"
    if case.sms_at is not None and (nearest is None or case.sms_at < nearest):
        nearest, what = case.sms_at, "sms"
    return (what, nearest) if nearest is not None else ("", None)


def frozen(case: Case) -> bool:
    """Whether neither retry nor mail may happen: a debit is on its way (B34), collection is paused (B69), or a person took over."""
    return case.processing_since is not None or case.suspended_at is not None or case.switched_off
