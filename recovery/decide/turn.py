"""One fact's turn on one customer's row: collects what follows, in order, and fills in how each case stands when it is over."""

from datetime import datetime, timedelta
from typing import Any, Literal

from recovery.contracts.customer import Account, Attempt, Case, Customer, Flight
from recovery.contracts.effects import (
    AlsoOwed,
    ChargeRequested,
    Effect,
    EffectWithdrawn,
    FurtherOwed,
    MessageRequested,
    PlanRequested,
    ReadRequested,
    SubscriptionEndRequested,
)
from recovery.contracts.events import OUTCOME_TYPES, Event, EventType
from recovery.contracts.facts import Fact, TimePassed
from recovery.decide import budgets
from recovery.decide.progress import most_events, too_many
from recovery.decide.schedule import spread
from recovery.ids import effect_id

VALID = timedelta(hours=24)
"""How long an effect may be performed after it was asked for."""
MARGIN = timedelta(hours=1)
"""How long after that we wait for its answer before we look for ourselves."""
REPEATED_WITHIN = timedelta(days=180)
"""So long after it was told a fact may be told again, by a provider or by a redrive; ended cases are kept for as long."""
OTHERS_FROM = 2
"""The dunning step from which further billing contacts are written to."""
SILENT: frozenset[str] = frozenset({"fact_noted", "fact_repeated", "plan_refused", "command_refused", "shadow_decided"}) | frozenset(
    {"message_opened", "message_clicked", "message_delivered", "message_undelivered", "message_received"}
)
"""Events that say nothing about where a case stands."""
STANDING: frozenset[str] = OUTCOME_TYPES | {"retry_attempted"}
"""Events that still say where a case stands after its end; the others, told late, leave its last word alone."""


class Turn:
    """What `advance` carries from hand to hand. `at` is the business time of what happens, `now` that of the decisions."""

    __slots__ = ("_most", "_told", "account", "at", "effects", "events", "fact", "note", "now", "policy", "row")

    def __init__(self, row: Customer, fact: Fact, now: datetime, account: Account) -> None:
        self.row = row
        self.fact = fact
        self.now = now
        self.at = now if isinstance(fact, TimePassed) else fact.occurred_at
        self.account = account
        self.policy = account.policy
        self.effects: list[Effect] = []
        self.events: list[Event] = []
        self.note = "nothing_to_do"
        self._told: list[tuple[Case | None, bool]] = []
        self._most = most_events(len(row.cases) + 1)

    def tell(self, event_type: EventType, case: Case, reason: str = "", **fields: Any) -> None:
        """Record that something happened to a case; its standing is filled in at the end of the turn."""
        case.sequence += 1
        event = self._event(event_type, reason, fields)
        event.invoice, event.subscription, event.sequence = case.invoice, case.subscription, case.sequence
        event.amount_minor, event.currency = case.at_stake + case.part_minor, case.currency
        self.events.append(event)
        self._told.append((case, event_type not in SILENT and (case.ended_at is None or event_type in STANDING)))

    def tell_row(self, event_type: EventType, reason: str = "", **fields: Any) -> None:
        """Record something that concerns no case; it has no place in a case's sequence, so its `sequence` is 0."""
        event = self._event(event_type, reason, fields)
        event.invoice = self.fact.invoice
        self.events.append(event)
        self._told.append((None, False))

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
            policy_version=self.account.number,
            reason=reason,
            **fields,
        )

    def ask_read(self, case: Case) -> None:
        """Ask for a look at the invoice."""
        effect = ReadRequested(**self._header(case, "read"), not_after=self.now + VALID, only_if="always")
        self._fly(case, effect, "read")
        self.tell("read_requested", case, case.reason, effect=effect.id)

    def ask_charge(self, case: Case, because: str) -> None:
        """Ask for a charge of what is owed, as the next position of the ladder."""
        effect = ChargeRequested(
            **self._header(case, "charge"),
            not_after=self.now + VALID,
            attempt=case.position + 1,
            amount_minor=case.at_stake,
            currency=case.currency,
            subscription=case.subscription,
            stripe_gap_hours=self.policy.retry.stripe_gap_hours,
            because=because,
        )
        case.charges[effect.id] = ""
        fingerprint, brand = (case.card.fingerprint, case.card.brand) if case.card is not None else ("", "")
        budgets.ask(self.row, Attempt(effect.id, self.now, case.invoice, fingerprint, brand, succeeded=False))
        if case.by_hand and because == "by_hand":
            case.hand_charge = effect.id
        self._fly(case, effect, "charge")
        self.tell("retry_requested", case, because, effect=effect.id)

    def ask_plan(self, case: Case, **known: Any) -> str:
        """Ask for offered retry times; nobody waits for them (product decision 17). Answers the request's id."""
        amounts: dict[str, Any] = {"amount_minor": case.at_stake, "currency": case.currency, "subscription": case.subscription}
        effect = PlanRequested(**self._header(case, "plan"), not_after=self.now + VALID, **(amounts | known))
        self.effects.append(effect)
        return effect.id

    def ask_message(
        self, case: Case, step: int, because: str, also: tuple[AlsoOwed, ...] = (), further: tuple[FurtherOwed, ...] = ()
    ) -> MessageRequested:
        """Ask for the mail of a dunning step; `also` are the other invoices that it names, `further` sums up those that it does not."""
        effect = self.message(case, "message", f"payment_failed_{step}", step=step, because=because, also=also, further=further)
        self._fly(case, effect, "message")
        details = {"also": " ".join(owed.invoice for owed in also)} if also else {}
        details |= {"further": str(sum(owed.count for owed in further))} if further else {}
        self.tell("dunning_requested", case, because, effect=effect.id, details=details)
        return effect

    def ask_sms(self, case: Case, step: int, because: str, until: datetime) -> MessageRequested:
        """Ask for the SMS that goes with a dunning step, to leave before `until` or never (B52)."""
        not_after = min(until, self.now + VALID)
        effect = self.message(case, "sms", f"payment_failed_{step}", step=step, because=because, medium="sms", not_after=not_after)
        self._fly(case, effect, "message")
        self.tell("dunning_requested", case, because, effect=effect.id, details={"medium": "sms"})
        return effect

    def message(self, case: Case, kind: str, template: str, **fields: Any) -> MessageRequested:
        """A message about a case. The decline's reason goes along only where a customer may be told it (stripe.md 1.3)."""
        verdict = case.verdict
        told: dict[str, Any] = {
            "decline_kind": verdict.kind if verdict else "",
            "decline_reason": verdict.code if verdict and verdict.code and not verdict.generic else "generic",
            "amount_minor": case.at_stake,
            "currency": case.currency,
            "subscription": case.subscription,
            "to": _to_whom(case, kind, fields["step"]),
            "unsubscribe": self.policy.contact.honour_unsubscribe,
            "not_after": self.now + VALID,
        }
        return MessageRequested(**self._header(case, kind), template=template, **(told | fields))

    def ask_notice(self, case: Case, template: str, only_if: Literal["invoice_paid", "invoice_open"]) -> None:
        """Ask for a mail that is no reminder; nobody waits for what becomes of it."""
        effect = self.message(case, "notice", template, step=0, only_if=only_if)
        self.effects.append(effect)
        self.tell("notice_requested", case, template, effect=effect.id)

    def ask_end(self, case: Case, action: Literal["cancel", "unpaid", "uncollectible"]) -> None:
        """Ask for the merchant's end action; nobody waits for what becomes of it (B73)."""
        header = self._header(case, "end")
        effect = SubscriptionEndRequested(**header, not_after=self.now + VALID, action=action, subscription=case.subscription)
        case.end_asked = effect.id
        self.effects.append(effect)
        self.tell("end_requested", case, action, effect=effect.id)

    def ask_charge_read(self, charge: str, to: str, dispute: str = "", **known: Any) -> None:
        """Ask whose charge it is and how it stands; `to` is the customer, or the object, that this row is called by."""
        header = self.header(f"{charge}~{dispute or to.lstrip('~')}", "read") | {"customer": to}
        effect = ReadRequested(**header, not_after=self.now + 7 * VALID, only_if="always", what="charge", object=charge, **known)
        self.effects.append(effect)
        self.tell_row("read_requested", "whose_charge", effect=effect.id, details={"charge": charge})

    def header(self, about: str, kind: str) -> dict[str, Any]:
        """The header of a request that concerns no case. `about` names the object that it concerns, and what tells it from the requests of
        other rows, or of this one before it was forgotten, whose numbers begin anew."""
        self.row.requests += 1
        return self._common(effect_id(self.row.account, f"~{about}", kind, self.row.requests))

    def telling(self, event: Event, kind: str, number: int) -> dict[str, Any]:
        """The header of a request that tells the merchant of the turn's `number`-th event; its id comes from the event's place."""
        account, fact = self.row.account, self.fact
        about, place = (event.invoice, event.sequence) if event.sequence else (f"~{fact.id}", number)
        if not event.sequence:  # the fact's repeat would ask under the same id: the row is kept until none is to be expected
            keep = self.now + REPEATED_WITHIN
            self.row.forget_at = max(keep, self.row.forget_at or keep)
        return self._common(effect_id(account, about, kind, place)) | {"invoice": event.invoice}

    def withdraw(self, case: Case, because: str) -> None:
        """Take back what is in flight, if anything is; its outcome may still come."""
        flight, case.flight = case.flight, None
        if flight is None or flight.lead:  # a mail that it only joined: the sender leaves out what is not owed
            return
        for other in self.row.cases.values():
            if other.flight is not None and other.flight.effect == flight.effect:
                other.flight, other.dunning_step, other.dunning_at = None, other.dunning_step - 1, self.now
                self.tell("dunning_skipped", other, "joined_mail_withdrawn", effect=flight.effect)
        header = self._header(case, "withdrawal")
        self.effects.append(
            EffectWithdrawn(**header, not_after=self.now + 7 * VALID, only_if="always", effect=flight.effect, because=because)
        )
        self.tell("effect_withdrawn", case, because, effect=flight.effect, details={"kind": flight.kind})

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

    def _fly(self, case: Case, effect: Effect, kind: Any) -> None:
        case.flight = Flight(effect.id, kind, effect.not_after + MARGIN)
        self.effects.append(effect)

    def close(self) -> None:
        """Fill in how the cases stand now, in every event of the turn."""
        shown: Case | None = None
        following: tuple[str, datetime | None] = ("", None)
        for event, (case, stands) in zip(self.events, self._told, strict=True):
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
        if at is None or not self.row.holds or case.flight is not None or not case.active:
            return what, at
        ends = [hold.until for key in ("", case.invoice) if (hold := self.row.holds.get(key)) is not None and hold.until is not None]
        return what, max([at, *(spread(case, end) for end in ends if end > self.now)])


def _to_whom(case: Case, kind: str, step: int) -> Literal["owner", "everyone"]:
    """The owner alone at first, every billing contact from the second mail on (B56); a notice goes to those who had the mails."""
    return "everyone" if kind != "sms" and (step or case.dunning_step) >= OTHERS_FROM else "owner"


def next_action(case: Case) -> tuple[str, datetime | None]:
    """What comes next for a case, and when: an awaited answer with its last moment, or the earliest appointment."""
    if case.flight is not None:
        return f"await_{case.flight.kind}", case.flight.until
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
