"""A timeline a business person can read: facts go in at their times, effects and events are collected, every row is saved in between."""

from datetime import datetime, timedelta

import msgspec

from recovery.contracts.customer import Account, Case, Customer
from recovery.contracts.effects import ChargeRequested, Effect, EffectWithdrawn, MessageRequested, ReadRequested
from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.events import Event
from recovery.contracts.facts import Card, ConsentGiven, CustomerChanged, Decline, Fact, MethodChanged
from recovery.decide.advance import Step, advance
from recovery.policy import SmsPolicy
from tests.support import builders as a


class Story:
    """One customer's row and what came of it."""

    def __init__(self, account: Account | None = None) -> None:
        self.account = account or a.an_account()
        self.row: bytes | None = None
        self.now = a.START
        self.effects: list[Effect] = []
        self.events: list[Event] = []

    def begin(self, customer: Customer, now: datetime) -> None:
        """Begin with a row instead of nothing."""
        self.row, self.now = encode_row(customer), now

    def tell(self, fact: Fact) -> Step:
        """One fact, at its own time or, when that lies in the past, now."""
        self.now = max(self.now, fact.occurred_at)
        step = advance(decode_row(self.row) if self.row is not None else None, fact, self.now, self.account)
        self.row = encode_row(step.customer) if step.customer is not None else None
        self.effects += step.effects
        self.events += step.events
        return step

    @property
    def customer(self) -> Customer | None:
        return decode_row(self.row) if self.row is not None else None

    def case(self, invoice: str = a.INVOICE) -> Case:
        assert self.customer is not None, "the customer has no row"
        return self.customer.cases[invoice]

    def until(self, when: datetime) -> list[Event]:
        """Let the time pass to `when`, waking the row whenever it wants; answers what happened on the way."""
        before = len(self.events)
        for _ in range(10_000):
            row = self.customer
            if row is None or row.next_due_at is None or row.next_due_at > when:
                break
            self.tell(a.a_tick(max(self.now, row.next_due_at)))
        else:
            raise AssertionError("the row wakes without end")
        self.now = max(self.now, when)
        return self.events[before:]

    def days(self, days: float) -> list[Event]:
        return self.until(self.now + timedelta(days=days))

    def types(self) -> list[str]:
        return [event.event_type for event in self.events]

    def last(self, event_type: str) -> Event:
        return next(event for event in reversed(self.events) if event.event_type == event_type)

    def reason_and_details(self, event_type: str) -> tuple[str, dict[str, str]]:
        """Of the latest event of this type."""
        return self.last(event_type).reason, self.last(event_type).details

    def reads(self) -> list[ReadRequested]:
        return [effect for effect in self.effects if isinstance(effect, ReadRequested)]

    def charges(self) -> list[ChargeRequested]:
        return [effect for effect in self.effects if isinstance(effect, ChargeRequested)]

    def mails(self) -> list[MessageRequested]:
        """The reminders by mail."""
        return [effect for effect in self.messages() if effect.step and effect.medium == "email"]

    def messages(self) -> list[MessageRequested]:
        return [effect for effect in self.effects if isinstance(effect, MessageRequested)]

    def notices(self) -> list[str]:
        """The templates of the mails that are no reminder."""
        return [effect.template for effect in self.messages() if not effect.step]

    def withdrawals(self) -> list[str]:
        return [effect.effect for effect in self.effects if isinstance(effect, EffectWithdrawn)]

    def opened(self, decline: Decline | None = a.SOFT, **reading: object) -> "Story":
        """The first failure, and the look that follows it."""
        self.tell(a.a_failure())
        self.tell(a.a_reading(self.reads()[-1].id, self.now + timedelta(seconds=5), decline, **reading))
        return self

    def second_failure(self, when: datetime, read_at: datetime | None = None, subscription: str = "sub_2") -> None:
        """The invoice in_2 fails hard."""
        state = a.a_state(subscription=subscription)
        self.tell(a.a_failure("evt_in_2", when, "in_2", state=state))
        self.tell(a.a_reading(self.reads()[-1].id, read_at or when, a.HARD, "in_2", state=state))

    def new_card(self, id: str, when: datetime, card: Card = a.MASTERCARD) -> Step:
        """The customer attaches a card and makes it the default, as Stripe's own pages do: two events of one second."""
        card = msgspec.structs.replace(card, method=card.method or f"pm_{id}")
        self.tell(MethodChanged(**a.header(f"{id}:attached", when, ""), card=card, how="attached"))
        return self.tell(CustomerChanged(**a.header(id, when, ""), default_method_changed=True, default_method=card.method))

    def charge_answered(self, result: str = "declined", **fields: object) -> Step:
        return self.tell(a.a_settlement(self.charges()[-1].id, self.now, result, self.charges()[-1].invoice, **fields))

    def mail_answered(self, result: str = "sent", why: str = "") -> Step:
        mail = self.mails()[-1]
        also = tuple(owed.invoice for owed in mail.also) if result == "sent" else ()
        return self.tell(a.a_mail_outcome(mail.id, self.now, result, why, mail.invoice, also=also))


def texted() -> Story:
    """A case whose first step's text is in progress."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(a.a_fact_of(ConsentGiven, 0, "", proof="form", zone="UTC"))
    story.opened(a.HARD)
    story.mail_answered()
    assert story.messages()[-1].medium == "sms"
    return story


def fields_of(event: Event) -> tuple[str, str, str, str, dict[str, str]]:
    """Type, reason, effect, result and details of an event."""
    return event.event_type, event.reason, event.effect, event.result, event.details
