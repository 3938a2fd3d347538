"""The promises, watched from outside: every step of a row is held against what it had been told before, with books of their own."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from recovery.contracts import effects, facts
from recovery.contracts.customer import Account, Case, Customer
from recovery.contracts.effects import Effect
from recovery.contracts.encoding.codec import Unprocessable, decode_effect, decode_event, encode
from recovery.contracts.events import OUTCOME_TYPES, Event
from recovery.contracts.facts import Fact
from recovery.decide.advance import Step
from recovery.decide.transition import next_action
from recovery.ids import kind_of
from recovery.policy import Policy
from recovery.presentation.labels import NEXT, REASONS
from recovery.vocabulary import ACTIVE
from tests.support.proof.details import DETAILS

NEVER_AGAIN = frozenset({"lost_card", "stolen_card", "pickup_card", "transaction_not_allowed", "revocation_of_authorization"})
SENT_AT_MOST = 3
KINDS: dict[str, tuple[str, ...]] = {
    "read_requested": ("read",),
    "charge_requested": ("charge",),
    "message_requested": ("message", "sms", "notice"),
    "retry_times_requested": ("plan",),
    "subscription_end_requested": ("end",),
    "effect_withdrawn": ("withdrawal",),
}
"""What the ids of each type of effect say of it."""
DAY = timedelta(days=1)
MOST_EVENTS, MOST_EVENTS_OF_A_CASE = 16, 12
"""A decision tells no more: so much, and so much about each case of the row."""
MOST_IDLE_WAKES = 8
"""So often in a row may a customer be due again at once: an appointment that is due leads on step by step."""
FARTHEST = timedelta(days=400)
WHATEVER_IS_TOLD = frozenset(
    {
        "a decision is made without an error",
        "a decision ends soon",
        "a decision leaves an appointment ahead",
        "an open case has an appointment",
        "every case ends",
        "every story comes to rest",
        "every fact leaves an event",
        "every message keeps its contract",
        "every reason has plain words",
        "an effect's id is never used again",
        "an effect's id names its kind",
        "observing, nothing is done",
        "a paused account does nothing",
        "the holdout is left alone",
        "no more goes back than came",
    }
)
"""Promises that hold even where what is told is not true."""


@dataclass
class Told:
    """What the row has been told of one customer."""

    attempts: dict[str, tuple[datetime, str, str, bool]] = field(default_factory=dict)  # charge: when, card, invoice, success
    left: set[str] = field(default_factory=set)
    ending: set[str] = field(default_factory=set)
    subscriptions: dict[str, datetime] = field(default_factory=dict)  # when Stripe made the newest event that was told
    never: set[str] = field(default_factory=set)
    settled: dict[str, str] = field(default_factory=dict)  # effect: result
    out: dict[str, tuple[datetime, str, str]] = field(default_factory=dict)  # charge asked for, not answered: when, card, invoice
    stopped: set[str] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)  # wishes of people, by their fact's id
    zones: dict[str, str] = field(default_factory=dict)


class Watch:
    """Keeps the books and lists what was broken, as (promise, what happened)."""

    def __init__(self, *, twisted: bool = False) -> None:
        """`twisted`: what the row is told need not be true or possible, so that only the promises hold that need no truth."""
        self._twisted = twisted
        self._idle_wakes = 0
        self.breaches: list[tuple[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._told = Told()
        self._ids: set[str] = set()
        self._asked: dict[str, Effect] = {}
        self._open_charge: dict[str, str] = {}
        self._sequence: dict[str, int] = defaultdict(int)
        self._status: dict[str, str] = {}
        self._recovered: dict[str, int] = defaultdict(int)
        self._reversed: dict[str, int] = defaultdict(int)
        self._owed: dict[str, int] = {}
        self._mails: list[tuple[datetime, str]] = []
        self._unsent: set[str] = set()

    def broken(self, promise: str, what: str) -> None:
        """Note a breach."""
        if self._twisted and promise not in WHATEVER_IS_TOLD:
            return
        self.breaches.append((promise, what))

    def step(self, had_row: bool, fact: Fact, now: datetime, account: Account, step: Step) -> None:
        """One fact was applied to a row, or to none; what a customer without a row is told is not remembered, and need not be."""
        if had_row or step.customer is not None:
            self._learn(fact)
            self._learn_of_leaving(fact, step.customer)
        self._ends(fact, now, step)
        if not isinstance(fact, facts.TimePassed) and not step.events:
            self.broken("every fact leaves an event", fact.id)
        for event in step.events:
            self._event(event)
        for effect in step.effects:
            self._effect(effect, now, account, step.customer)

    def _ends(self, fact: Fact, now: datetime, step: Step) -> None:
        """A decision is short, and leaves an appointment ahead: a row that is always due would be asked for ever."""
        row = step.customer
        cases = len(row.cases) if row is not None else 0
        if len(step.events) > MOST_EVENTS + MOST_EVENTS_OF_A_CASE * cases:
            self.broken("a decision ends soon", f"{len(step.events)} events of {type(fact).__name__} with {cases} cases")
        due = row is not None and row.next_due_at is not None and row.next_due_at <= now
        self._idle_wakes = self._idle_wakes + 1 if due and isinstance(fact, facts.TimePassed) else 0
        if self._idle_wakes > MOST_IDLE_WAKES:
            self.broken("a decision leaves an appointment ahead", f"asked {self._idle_wakes} times at or before {now}")
        for case in row.cases.values() if row is not None else ():
            if case.active and (at := next_action(case)[1]) is None:
                self.broken("an open case has an appointment", f"{case.invoice} is {case.status} ({case.reason})")
            elif case.active and at is not None and at > now + FARTHEST:
                self.broken("an open case has an appointment", f"{case.invoice} at {at}")
        for event in step.events:
            if not all(abs(minor) < 2**63 for minor in (event.amount_minor, event.recovered_minor)):
                self.broken("every message keeps its contract", f"{event.event_type}: {event.amount_minor}")
            if any(at is not None and not 1971 <= at.year <= 2200 for at in (event.occurred_at, event.received_at, event.next_action_at)):
                self.broken("every message keeps its contract", f"{event.event_type}: {event.occurred_at}, {event.next_action_at}")

    def finished(self, row: Customer | None) -> None:
        """Nothing will come any more."""
        for case in row.cases.values() if row is not None else ():
            if case.active:
                self.broken("every case ends", f"{case.invoice} is still {case.status} ({case.reason})")

    def _learn(self, fact: Fact) -> None:
        told = self._told
        if isinstance(fact, facts.Command):
            if fact.id in told.heard:  # told again later, a wish is not a new one
                return
            told.heard.add(fact.id)
        if isinstance(fact, facts.MethodChanged) and fact.how == "automatically_updated":
            told.never.discard(fact.card.fingerprint)
        elif isinstance(fact, facts.StopRequested):
            told.stopped.add(fact.invoice)
        elif isinstance(fact, facts.ResumeRequested):
            told.stopped = set() if not fact.invoice else told.stopped - {fact.invoice}
        elif isinstance(fact, facts.ConsentGiven):
            told.zones["sms"] = fact.zone
        elif isinstance(fact, facts.InvoiceRead):
            for seen in fact.attempts:
                if seen.reached_network:
                    told.attempts.setdefault(seen.charge, (seen.at, seen.fingerprint, fact.invoice, seen.succeeded))
        elif isinstance(fact, facts.ChargeSettled):
            self._learn_charge(fact)
        elif isinstance(fact, facts.MessageSettled) and fact.result in {"skipped", "failed"}:
            self._unsent.add(fact.effect)

    def _learn_of_leaving(self, fact: Fact, row: Customer | None) -> None:
        """Which invoices are to be left alone. One whose case opens later is not among them: the look before each effect finds it."""
        told, cases = self._told, row.cases.values() if row is not None else ()
        if isinstance(fact, facts.CustomerDeleted):
            told.left |= {case.invoice for case in cases}
        elif isinstance(fact, facts.SubscriptionEnded):
            told.left |= {case.invoice for case in cases if case.subscription == fact.subscription}
        elif isinstance(fact, facts.SubscriptionChanged):
            known = told.subscriptions.get(fact.subscription)
            if known is not None and fact.occurred_at < known:  # told late: something newer is known
                return
            told.subscriptions[fact.subscription] = fact.occurred_at
            of_it = {case.invoice for case in cases if case.subscription == fact.subscription}
            told.ending = told.ending | of_it if fact.cancel_at_period_end else told.ending - of_it

    def _learn_charge(self, fact: facts.ChargeSettled) -> None:
        told, card, decline = self._told, fact.card, fact.decline
        told.settled.setdefault(fact.effect, fact.result)
        told.out.pop(fact.effect, None)
        if self._open_charge.get(fact.invoice) == fact.effect:
            del self._open_charge[fact.invoice]
        if fact.result == "not_done" or card is None:
            return
        if decline is None or decline.network_status != "not_sent_to_network":
            told.attempts.setdefault(fact.charge, (fact.occurred_at, card.fingerprint, fact.invoice, fact.result == "succeeded"))
        if decline is not None and decline.decline_code in NEVER_AGAIN:
            told.never.add(card.fingerprint)

    def _event(self, event: Event) -> None:
        self._words(event)
        if event.sequence:
            self._sequence[event.invoice] += 1
            if event.sequence != self._sequence[event.invoice]:
                self.broken("the events of an invoice have no gaps", f"{event.id or event.event_type} of {event.invoice}: {event.sequence}")
                self._sequence[event.invoice] = event.sequence
        if event.status:
            self._status[event.invoice] = event.status
        if event.event_type in OUTCOME_TYPES:
            self.ended[event.event_type] += 1
        if event.event_type == "payment_failed":
            self._owed[event.invoice] = max(event.amount_minor, self._owed.get(event.invoice, 0))
        elif event.event_type in {"payment_recovered", "partial_payment"}:
            self._money(event)
        elif event.event_type == "recovery_reversed":
            self._reversed[event.invoice] += event.recovered_minor
            if self._reversed[event.invoice] > self._recovered[event.invoice]:
                self.broken("no more goes back than came", f"{event.invoice}: {self._reversed[event.invoice]}")

    def _words(self, event: Event) -> None:
        """Every event keeps its contract, and says nothing for which there are no plain words; a sink's own words have spaces."""
        try:
            decode_event(encode(event))
        except Unprocessable as error:
            self.broken("every message keeps its contract", str(error))
        if event.reason and event.reason not in REASONS and " " not in event.reason:
            self.broken("every reason has plain words", f"{event.reason} of {event.event_type}")
        if event.next_action not in NEXT:
            self.broken("every reason has plain words", f"next: {event.next_action}")
        if bool(event.next_action) != (event.next_action_at is not None):
            self.broken("a next action has its time", f"{event.next_action} of {event.event_type}")
        if not event.details.get("step", "0").isdigit():
            self.broken("details have known names", f"step {event.details['step']} of {event.event_type}")
        if unknown := set(event.details) - DETAILS:
            self.broken("details have known names", f"{', '.join(sorted(unknown))} of {event.event_type}")

    def _money(self, event: Event) -> None:
        self._recovered[event.invoice] += event.recovered_minor
        if event.event_type == "payment_recovered" and not event.recovered_by:
            self.broken("one cause for each unit of money", f"{event.invoice} came back without a cause")
        kept = self._recovered[event.invoice] - self._reversed[event.invoice]
        if kept > self._owed.get(event.invoice, 0):
            self.broken("one cause for each unit of money", f"{event.invoice}: {kept} of {self._owed.get(event.invoice, 0)} came back")

    def _effect(self, effect: Effect, now: datetime, account: Account, row: Customer | None) -> None:
        if effect.id in self._ids:
            self.broken("an effect's id is never used again", effect.id)
        self._ids.add(effect.id)
        try:
            decode_effect(encode(effect))
        except Unprocessable as error:
            self.broken("every message keeps its contract", f"{effect.id}: {error}")
        kind = str(effect.__struct_config__.tag)
        self.asked[kind] += 1
        if kind_of(effect.id) not in KINDS[kind]:
            self.broken("an effect's id names its kind", effect.id)
        self._asked[effect.id] = effect
        if isinstance(effect, effects.EffectWithdrawn):
            self._unsent.add(effect.effect)
            if self._open_charge.get(effect.invoice) == effect.effect:
                del self._open_charge[effect.invoice]
            return
        case = row.cases.get(effect.invoice) if row is not None else None
        acting = isinstance(effect, effects.ChargeRequested | effects.MessageRequested | effects.SubscriptionEndRequested)
        if acting and account.policy.mode == "observe":
            self.broken("observing, nothing is done", effect.id)
        if acting and account.paused:
            self.broken("a paused account does nothing", effect.id)
        if isinstance(effect, effects.ChargeRequested):
            self._charge(effect, now, account.policy, row, case)
        elif isinstance(effect, effects.MessageRequested):
            self._message(effect, now, account.policy, case)

    def _untouchable(self, effect: effects.ChargeRequested | effects.MessageRequested) -> None:
        told, what = self._told, effect.id
        if self._status.get(effect.invoice) not in ACTIVE:
            self.broken("nothing is done on a closed case", f"{what}: it is {self._status.get(effect.invoice)}")
        if effect.invoice in told.left | told.ending:
            self.broken("who has cancelled or gone is left alone", what)
        if told.stopped & {effect.invoice, ""}:
            self.broken("what a person stopped stays stopped", what)

    def _charge(self, effect: effects.ChargeRequested, now: datetime, policy: Policy, row: Customer | None, case: Case | None) -> None:
        if row is None or case is None:
            self.broken("nothing is done on a closed case", f"{effect.id}: there is no case")
            return
        self._untouchable(effect)
        if effect.invoice in self._open_charge:
            self.broken("never two charges for one plan", f"{effect.id} while {self._open_charge[effect.invoice]} is out")
        self._open_charge[effect.invoice] = effect.id
        freely = effect.because in {"new_method", "by_hand"}
        if effect.because != "by_hand" and not policy.retry.enabled:
            self.broken("the policy's switches hold", effect.id)
        if effect.because != "by_hand" and effect.attempt > min(policy.retry.max_retries, 5):
            self.broken("no more retries than the ladder has", f"{effect.id}: position {effect.attempt}")
        if not freely and now > case.failed_at + timedelta(
            days=policy.retry.window_days, seconds=case.snoozed_seconds
        ):  # a snooze uses up none of it
            self.broken("nothing is retried after the window", effect.id)
        if row.arm == "holdout" and policy.experiment.holdout_share > 0:
            self.broken("the holdout is left alone", effect.id)
        if effect.amount_minor != case.outstanding_minor or effect.amount_minor <= 0:
            self.broken("the amount is what is owed", f"{effect.id}: {effect.amount_minor} of {case.outstanding_minor}")
        if self._made(effect.invoice) >= effect.attempt and effect.because != "by_hand":
            self.broken("never two charges for one plan", f"{effect.id}: position {effect.attempt}, {self._made(effect.invoice)} were made")
        self._limits(effect, now, policy, case)
        self._told.out[effect.id] = (now, case.card.fingerprint if case.card is not None else "", effect.invoice)

    def _made(self, invoice: str) -> int:
        """How many charges of ours the row has been told were made on an invoice."""
        return sum(result != "not_done" and self._asked[charge].invoice == invoice for charge, result in self._told.settled.items())

    def _limits(self, effect: effects.ChargeRequested, now: datetime, policy: Policy, case: Case) -> None:
        """Attempts told, and charges asked for that nobody has answered: those may reach the card any moment."""
        attempts, card, budgets, out = self._told.attempts.values(), case.card, policy.budgets, self._told.out.values()
        on_invoice = [*(invoice for _, _, invoice, _ in attempts), *(invoice for _, _, invoice in out)]
        if on_invoice.count(effect.invoice) >= budgets.per_invoice:
            self.broken("the invoice's budget holds", effect.id)
        if card is None or not card.fingerprint:
            return
        if card.fingerprint in self._told.never:
            self.broken("a card that said never is never tried", effect.id)
        tries = [(at, success) for at, fingerprint, _, success in attempts if fingerprint == card.fingerprint]
        tries += [(at, False) for at, fingerprint, _ in out if fingerprint in {card.fingerprint, ""}]
        since = max((at for at, success in tries if success), default=None)
        failed = [at for at, success in tries if not success and (since is None or at > since)]
        month = sum(at > now - 30 * DAY for at in failed)
        day = sum(at > now - DAY for at in failed)
        most = {"visa": budgets.visa_30_days, "mastercard": budgets.mastercard_30_days}.get(card.brand, budgets.other_30_days)
        if month >= most or (card.brand == "mastercard" and day >= budgets.mastercard_24_hours):
            self.broken("the card networks' limits hold", f"{effect.id}: {month} in 30 days, {day} in one, on {card.brand}")

    def _message(self, effect: effects.MessageRequested, now: datetime, policy: Policy, case: Case | None) -> None:
        if kind_of(effect.id) == "notice" or not effect.step:
            return
        self._untouchable(effect)
        if not policy.dunning.enabled:
            self.broken("the policy's switches hold", effect.id)
        if effect.step > SENT_AT_MOST:
            self.broken("three mails at most", effect.id)
        if effect.medium == "sms":
            self._hour(effect, now, policy)
            return
        sent = [at for at, known in self._mails if known not in self._unsent]
        if sent and now - max(sent) < timedelta(hours=policy.contact.min_hours_between):
            self.broken("mails keep their distance", f"{effect.id}: {now - max(sent)} after the last")
        if sum(at > now - 30 * DAY for at in sent) >= policy.contact.max_per_30_days:
            self.broken("no more mails than the cap", effect.id)
        self._mails.append((now, effect.id))

    def _hour(self, effect: effects.MessageRequested, now: datetime, policy: Policy) -> None:
        zone = self._told.zones.get("sms", "")
        if not policy.sms.enabled:
            self.broken("the policy's switches hold", effect.id)
        if zone and not policy.contact.sms_from_hour <= now.astimezone(ZoneInfo(zone)).hour < policy.contact.sms_until_hour:
            self.broken("no SMS in quiet hours", f"{effect.id}: {now.astimezone(ZoneInfo(zone)):%H:%M} in {zone}")
