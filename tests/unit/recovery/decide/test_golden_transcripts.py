"""Whole cases from the first failure to the end: transcripts/*.txt hold every event and every effect.

After an intended change write them anew, and read the diff:
`PYTHONPATH=. .venv/bin/python tests/unit/recovery/decide/test_golden_transcripts.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Account
from recovery.notification_policy import AlertPolicy, ChannelSettings
from recovery.policy import EndPolicy, PreventionPolicy, RetryPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import failure, look, opened, told, transcript

LIVES = Path(__file__).with_name("transcripts")


def two_opened(story: Story, decline: facts.Decline = a.HARD) -> Story:
    """Two invoices whose looks come back one after the other, the mails of both due at once."""
    story.tell(failure())
    story.tell(failure(2))
    story.account.paused = True
    for read in story.reads()[:2]:
        state = a.a_state(subscription=f"sub_{read.invoice[-1]}")
        story.tell(a.a_reading(read.id, a.at(hours=0.1), decline, read.invoice, trace="t-1", state=state))
    story.account.paused = False
    story.tell(a.a_tick(a.at(hours=4)))
    return story


def a_recovery_by_the_second_retry(story: Story) -> None:
    opened(story)
    story.days(1)
    story.charge_answered(trace="t-1", why="card_declined")
    story.days(3)
    story.charge_answered("succeeded", trace="t-1", state=a.a_state("paid"))
    story.days(30)


def nothing_helps_and_the_subscription_is_cancelled(story: Story) -> None:
    opened(story, a.HARD)
    for _ in range(60):
        story.days(0.5)
        if story.mails() and story.case().pending_effect is not None and story.case().pending_effect.kind == "message":  # type: ignore[union-attr] # looked at
            story.mail_answered()
        if story.case().pending_effect is not None and story.case().pending_effect.kind == "read":  # type: ignore[union-attr] # looked at
            look(story, a.HARD)
    ended = story.effects[-1].id
    story.tell(told(facts.SubscriptionEndSettled, story.now, effect=ended, action="cancel", result="done"))


def two_invoices_in_one_mail_of_which_one_is_voided(story: Story) -> None:
    two_opened(story)
    story.tell(told(facts.InvoiceVoided, a.at(hours=6), story.mails()[-1].invoice, state=a.a_state("void")))
    story.days(1)


def two_invoices_in_one_mail_that_names_only_one(story: Story) -> None:
    two_opened(story)
    mail = story.mails()[-1]
    story.tell(a.a_mail_outcome(mail.id, a.at(hours=6), invoice=mail.invoice, trace="t-1"))
    story.days(0.1)


def two_invoices_in_one_mail_that_is_not_sent(story: Story) -> None:
    two_opened(story)
    mail = story.mails()[-1]
    story.tell(a.a_mail_outcome(mail.id, a.at(hours=6), "skipped", "voided", mail.invoice, trace="t-1"))
    story.days(0.1)


def a_part_a_change_of_plan_and_the_rest(story: Story) -> None:
    opened(story)
    part = a.a_state(paid=1000, subscription="sub_1")
    story.tell(told(facts.InvoiceChanged, a.at(hours=2), state=part, request_id="req_1"))
    story.tell(told(facts.InvoiceChanged, a.at(hours=3), state=msgspec.structs.replace(part, amount_due=5900, amount_remaining=4900)))
    story.days(1)
    story.charge_answered("succeeded", charge="ch_rest", trace="t-1", state=a.a_state("paid", amount=5900))
    story.tell(told(facts.ChargeRefunded, a.at(days=2), charge="ch_rest", amount_refunded=5900, currency="eur"))


def looks_that_nobody_answers(story: Story) -> None:
    story.tell(failure())
    story.days(3)


def a_pause_of_the_collection(story: Story) -> None:
    opened(story)
    change: dict[str, Any] = {"subscription": "sub_1", "status": "active"}
    story.tell(told(facts.SubscriptionChanged, a.at(hours=1), "", paused=True, pause_behavior="void", **change))
    story.days(1.1)
    look(story, subscription_paused=True)
    story.tell(told(facts.SubscriptionChanged, a.at(days=2), "", **change))
    look(story)
    story.days(0.1)


def commands_of_every_kind(story: Story) -> None:
    opened(story)
    said = {"who": "ada", "why": "asked by phone"}
    story.tell(told(facts.SnoozeRequested, a.at(hours=1), until=a.at(days=3), **said))
    story.days(2)
    story.tell(told(facts.StopRequested, a.at(days=2, hours=1), **said))
    story.tell(told(facts.SnoozeRequested, a.at(days=2, hours=2), until=a.at(days=9), **said))
    story.tell(told(facts.RetryRequested, a.at(days=2, hours=3), **said))
    story.tell(failure(1, a.at(days=2, hours=4)))
    story.tell(told(facts.ResumeRequested, a.at(days=2, hours=5), **said))
    look(story)
    story.tell(told(facts.ExcludeRequested, a.at(days=2, hours=6), "", until=a.at(days=20), **said))
    story.tell(failure(2, a.at(days=2, hours=7)))
    story.tell(told(facts.ResumeRequested, a.at(days=2, hours=8), "in_9", **said))
    story.tell(told(facts.ResumeRequested, a.at(days=2, hours=9), "", **said))
    look(story)
    story.tell(told(facts.RetryRequested, a.at(days=2, hours=10), "", **said))
    story.tell(told(facts.SnoozeRequested, a.at(days=2, hours=11), "", until=a.at(days=9), **said))
    story.days(0.5)


def a_debit_that_is_on_its_way(story: Story) -> None:
    opened(story, a.PROCESSING)
    story.days(1.1)
    look(story, None)
    story.days(1.1)
    look(story, facts.Decline(code="insufficient_funds", method_type="sepa_debit"))
    story.days(6)


def a_new_card_for_two_invoices(story: Story) -> None:
    two_opened(story)
    story.mail_answered()
    card = facts.Card(fingerprint="fp_new", brand="visa", method="pm_2")
    story.new_card("evt_card", a.at(hours=8), card)
    story.charge_answered("succeeded", trace="t-1", card=card, charge="ch_new", state=a.a_state("paid"))
    story.days(0.1)
    story.charge_answered("needs_action", trace="t-1", card=card)
    story.days(1)


def a_fraud_that_the_merchant_is_told_of(story: Story) -> None:
    story.tell(told(facts.PaymentActionRequired, a.START, state=a.a_state()))
    look(story, a.FRAUD)
    story.tell(told(facts.MessageBounced, a.at(hours=2), "", hard=True, why="550"))


def two_cards_that_expire(story: Story) -> None:
    for number, days in ((1, 60), (2, 20), (3, 40)):
        card = facts.Card(fingerprint=f"fp_{number}", brand="visa", exp_month=3, exp_year=2026)
        charge: dict[str, Any] = {
            "next_charge_at": a.at(days=days + 20),
            "amount_minor": 4900,
            "currency": "eur",
            "subscription": f"sub_{number}",
        }
        story.tell(told(facts.CardExpiring, a.at(hours=number), "", card=card, **charge))
    story.tell(told(facts.SubscriptionEnded, a.at(hours=5), "", subscription="sub_2"))
    story.days(90)


def a_text_goes_beside_a_mail(story: Story) -> None:
    story.tell(told(facts.ConsentGiven, a.START, "", proof="form", zone="UTC", medium="sms"))
    opened(story, a.HARD)
    story.mail_answered()
    story.tell(told(facts.ConsentWithdrawn, a.at(hours=1), "", medium="sms", why="STOP"))
    story.tell(told(facts.ContactSuppressed, a.at(hours=2), "", medium="email", why="unsubscribed", who="customer"))
    story.days(4)


def an_observed_life(story: Story) -> None:
    opened(story)
    story.days(40)


def a_draft_that_would_leave_off_sooner(story: Story) -> None:
    story.account.draft = a.a_policy(retry=RetryPolicy(enabled=False))
    opened(story)
    story.days(2)
    story.tell(told(facts.StopRequested, a.at(days=2, hours=2), who="ada"))


def charges_that_come_to_nothing(story: Story) -> None:
    opened(story)
    for why in ("stripe_attempt_near", "account_paused", "already_paid"):
        while not story.charges() or story.case().pending_effect is None:
            story.days(0.5)
        story.charge_answered("not_done", trace="t-1", why=why)
    story.days(0.1)
    look(story)
    while story.case().pending_effect is None:
        story.days(0.5)
    story.days(1.2)


def money_that_goes_back_before_it_came(story: Story) -> None:
    opened(story)
    money: dict[str, Any] = {"amount_refunded": 4900, "currency": "eur"}
    story.tell(told(facts.ChargeRefunded, a.at(hours=2), charge="ch_early", **money))
    story.tell(told(facts.InvoicePaid, a.at(hours=3), state=a.a_state("paid"), request_id="req_2"))
    story.tell(told(facts.ChargeRefunded, a.at(hours=4), "", charge="ch_else", **money))


SMS = a.a_policy(sms=SmsPolicy(enabled=True))
LOUD = a.a_policy(
    alerts=AlertPolicy(email=ChannelSettings(enabled=True), slack=ChannelSettings(enabled=True)),
    webhooks={"crm": ()},
)
STORIES: dict[Callable[[Story], None], Account] = {
    a_recovery_by_the_second_retry: a.an_account(),
    nothing_helps_and_the_subscription_is_cancelled: a.an_account(a.a_policy(end=EndPolicy(action="cancel"))),
    two_invoices_in_one_mail_of_which_one_is_voided: a.an_account(),
    two_invoices_in_one_mail_that_names_only_one: a.an_account(),
    two_invoices_in_one_mail_that_is_not_sent: a.an_account(),
    a_part_a_change_of_plan_and_the_rest: a.an_account(),
    looks_that_nobody_answers: a.an_account(),
    a_pause_of_the_collection: a.an_account(),
    commands_of_every_kind: a.an_account(),
    a_debit_that_is_on_its_way: a.an_account(),
    a_new_card_for_two_invoices: a.an_account(),
    a_fraud_that_the_merchant_is_told_of: a.an_account(LOUD),
    two_cards_that_expire: a.an_account(a.a_policy(prevention=PreventionPolicy(enabled=True))),
    a_text_goes_beside_a_mail: a.an_account(SMS),
    an_observed_life: a.an_account(a.a_policy("observe")),
    a_draft_that_would_leave_off_sooner: a.an_account(),
    charges_that_come_to_nothing: a.an_account(),
    money_that_goes_back_before_it_came: a.an_account(),
}


def told_out(life: Callable[[Story], None]) -> str:
    """A life's transcript, of an account of its own."""
    known = STORIES[life]
    return transcript(Story(Account(known.policy_version, known.policy, known.paused)), life)


@pytest.mark.parametrize("life", STORIES, ids=lambda life: life.__name__)
def test_a_life_is_told_to_the_last_word(life: Callable[[Story], None]) -> None:
    """F61: events, effects, reasons and details, with their times."""
    assert told_out(life) == (LIVES / f"{life.__name__}.txt").read_text()


if __name__ == "__main__":
    for life in STORIES:
        (LIVES / f"{life.__name__}.txt").write_text(told_out(life))
