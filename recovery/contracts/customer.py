"""The state that the stream keeps: one record per customer whose payment failed, and the settings of each account. Its bytes:
encoding/row_codec.py."""

from datetime import datetime
from typing import Literal

import msgspec

from recovery.contracts.facts import Card, Decline, Slot
from recovery.policy import OBSERVE, Policy
from recovery.vocabulary import ACTIVE, DeclineKind, RecoveryCause, Status


class Account(msgspec.Struct):
    """The settings of an account as each partition knows them: the policy in force, and whether the account is paused (B45)."""

    policy_version: int = 0
    policy: Policy = OBSERVE
    paused: bool = False
    draft: Policy | None = None


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """The meaning of a decline. `kind` is its class. `retry_allowed` is False where the network forbids a retry, even for a soft decline.

    `wait_hours` is the least wait since the failure. `cap` is the most retries (0: as many as the ladder has). `mail` is False where a mail
    would put pressure on a customer who revoked the payment (B20). `generic` is True where the customer must not learn the reason.
    """

    kind: DeclineKind
    code: str = ""
    because: str = ""
    retry_allowed: bool = False
    wait_hours: int = 0
    cap: int = 0
    mail: bool = True
    generic: bool = False


class RetryOffer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Offered times of the next attempts that a case has taken; used one by one as far as they are allowed."""

    slots: tuple[Slot, ...]
    source: str
    model_version: str = ""
    propensity: float = 1.0


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person has forbidden, until when (None: for ever) (B60)."""

    kind: Literal["stopped", "snoozed", "excluded"]
    until: datetime | None = None


class UnmatchedFailure(msgspec.Struct, array_like=True, omit_defaults=True):
    """A failed charge or intent of which it is not known yet which invoice it was for."""

    at: datetime
    invoice: str
    amount: int
    currency: str
    decline: Decline
    card: Card | None = None


class EarlyRefund(msgspec.Struct, frozen=True, array_like=True):
    """A refund or dispute that arrived before the payment it belongs to. `total` is the sum so far in minor units. Either `charge` or
    `invoice` may be empty; `dispute` is empty for a refund."""

    at: datetime
    charge: str
    invoice: str
    what: str
    total: int
    dispute: str = ""
    currency: str = ""


class PendingEffect(msgspec.Struct, omit_defaults=True):
    """The case's pending effect. If no outcome has arrived by `deadline`, the invoice is read again."""

    effect: str
    kind: Literal["read", "charge", "message"]
    deadline: datetime
    lead: str = ""  # the invoice whose mail this case joined; empty when the effect is its own
    summed: bool = False  # that mail does not name this invoice, it is in the sum of the further ones


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """When and by what proof the customer agreed to a medium (B53); the zone and country of the recipient, empty where unknown."""

    at: datetime
    proof: str
    zone: str = ""
    country: str = ""


class ContactState(msgspec.Struct, omit_defaults=True):
    """How the customer may be written to; kept for ever. `suppressed`: why not, by medium or `all`, the latest reason first, with spaces
    between them; `consent`: by medium; `bounced_at`: when the newest bounce of a suppressed medium happened."""

    suppressed: dict[str, str] = {}
    bounced_at: dict[str, datetime] = {}
    consent: dict[str, Consent] = {}
    withdrawn: dict[str, datetime] = {}


class ExpiringCard(msgspec.Struct, frozen=True, omit_defaults=True):
    """A card that expires before the subscription's next charge, and when to write about it."""

    at: datetime
    card: Card
    charge_at: datetime
    amount_minor: int
    currency: str


class CardAttempt(msgspec.Struct, array_like=True):
    """One charge that reached a card's network, made by us or not: an entry in the budgets of the card and of the invoice (B31)."""

    charge: str
    at: datetime
    invoice: str
    fingerprint: str
    brand: str
    succeeded: bool


class Case(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One failed invoice. Amounts are minor units of `currency`. After its end only its stub remains: who, how much, why and when."""

    invoice: str
    subscription: str = ""
    currency: str = ""
    status: Status = "retrying"
    reason: str = ""
    sequence: int = 0
    requests: int = 0
    answered: list[int] = []  # the numbers of the latest requests of which it was told what became of them
    opened_at: datetime
    ended_at: datetime | None = None

    outstanding_minor: int = 0
    paid_before: int = 0
    outside: int = 0  # of what was paid beside Stripe: before the failure, or told as a part
    paid: bool = False
    recovered_minor: int = 0
    recovered_by: RecoveryCause | Literal[""] = ""
    recovered_charge: str = ""
    reversed_minor: int = 0
    returned: dict[str, int] = {}  # what went back, by charge for refunds, by charge/dispute for disputes

    state_observed_at: datetime | None = None
    state_from_read: bool = False
    stripe_next: datetime | None = None
    invoiced_at: datetime | None = None  # when Stripe made the invoice
    switched_off: bool = False  # automatic collection was switched off without an attempt; the next read tells whether it is
    owed_at: datetime | None = None  # Stripe's time of the newest that showed it open
    subscription_at: datetime | None = None  # Stripe's time of the newest that is known of the subscription

    failed_at: datetime
    last_failed_at: datetime
    verdict: Verdict | None = None
    first_code: str = ""
    decline: Decline | None = None
    card: Card | None = None
    authentication_required: bool = False
    method: Literal["", "attached", "automatically_updated"] = ""
    method_at: datetime | None = None  # when that method was told
    retry_with_new_method: bool = False
    on_session_at: datetime | None = None  # the latest failure of an attempt that somebody asked for and not we: on Stripe's page
    queued: bool = False  # its charge waits for the answer to another invoice's
    invoice_method: str = ""  # what the invoice, and its subscription, name to be charged before the customer's default
    subscription_method: str = ""
    subscription_method_at: datetime | None = None
    manual_retry: bool = False
    snoozed_seconds: int = 0  # seconds that a person's wish to wait has put a retry off
    test: bool = False
    renews_at: datetime | None = None
    retry_offer: RetryOffer | None = None
    offer_request: str = ""
    offer_for_attempt: int = 0

    pending_effect: PendingEffect | None = None
    read_at: datetime | None = None
    retry_at: datetime | None = None
    dunning_at: datetime | None = None
    failed_reads: int = 0
    processing_since: datetime | None = None
    suspended_at: datetime | None = None
    pause_noted: bool = False

    ladder_used: int = 0
    retry_count: int = 0
    consecutive_noops: int = 0
    held: int = 0  # answers in a row that the account was paused, where no pause of it is known here
    last_attempt_at: datetime | None = None
    charges: dict[str, str] = {}  # our charge effects: the charge made, "made" where its id is not known, "" while no outcome is known

    dunning_from: datetime | None = None
    dunning_step: int = 0
    no_contact: bool = False
    mails_sent: int = 0
    last_mail: str = ""
    sms_at: datetime | None = None
    sms_step: int = 0

    part_minor: int = 0  # of recovered_minor: what came before the invoice was paid in full
    recovered_by_cause: dict[str, int] = {}  # what came and did not go back, by its cause
    final_read_at: datetime | None = None
    end_request: str = ""
    manual_charge: str = ""  # the charge that somebody asked for, to credit them with it

    @property
    def active(self) -> bool:
        """Whether anything may still be done about it; False for an ended and for a blocked case."""
        return self.status in ACTIVE

    @property
    def ladder_position(self) -> int:
        """The number of ladder positions in use: attempts made, and charges whose outcome is not known yet."""
        return self.ladder_used + sum(1 for charge in self.charges.values() if not charge)


class Customer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The row of one customer: cases by invoice, attempts of the last 35 days, barred cards, marks of seen facts, the next wake-up."""

    account: str
    customer: str
    next_due_at: datetime | None = None
    cases: dict[str, Case] = {}
    attempts: list[CardAttempt] = []
    out: list[CardAttempt] = []  # charges of ours that were asked for and are not answered, by effect: they may reach the card any moment
    barred: list[str] = []
    recent_fact_ids: list[int] = []
    mails: dict[str, datetime] = {}  # reminders of the last 30 days that were sent or may yet be, by effect
    texts: dict[str, datetime] = {}  # the same of texts
    contact: ContactState | None = None
    expiring: dict[str, ExpiringCard] = {}  # by subscription
    expiry_warned_for: dict[str, datetime] = {}  # by subscription: the charge before which a mail about the card was asked for
    requests: int = 0
    forget_at: datetime | None = None
    arm: Literal["", "treated", "holdout", "explore"] = ""
    propensity: float = 0.0
    salt: str = ""
    holds: dict[str, Hold] = {}  # by invoice; empty for all of the customer's
    unmatched_failures: list[UnmatchedFailure] = []
    default_method: str = ""  # the customer's default payment method, and Stripe's time of it
    default_at: datetime | None = None
    attached: dict[str, Card] = {}  # cards told since the first failure, by payment method: one may become the default
    early_refunds: list[EarlyRefund] = []
