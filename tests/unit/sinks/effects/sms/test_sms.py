"""Texts to payers who still owe: once, in their language, to the number that Stripe shows at that moment."""

import itertools
import os
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from recovery.contracts.facts import ConsentWithdrawn
from recovery.presentation.messages.gsm import fits, segments
from recovery.presentation.messages.languages import LANGUAGES
from recovery.presentation.messages.sms_text import SmsContent, written
from recovery.signed_links import LinkSigner
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.performer import Clocks, RetryLater, Settled
from sinks.effects.sms.sms import SmsPerformer
from sinks.effects.sms.twilio import OptedOut, TextServer
from sinks.effects.stripe.client import NotAllowed, ObjectGone, StripeUnreachable
from tests.support.services.fake_servers import TWILIO_ACCOUNT, TWILIO_TOKEN, FakeTwilio, listening

GOLDEN = Path(__file__).parent / "golden" / "sms.txt"
SHORT = "https://pay.heron.example/r/Ab3dEf"
CUSTOMER = {"id": "cus_1", "email": "ana@payer.example", "name": "Ana", "preferred_locales": ["de-DE"], "phone": "+49 151 12345678"}
TOGETHER = 306
"""Places in two segments."""


class FakeServer:
    can_be_answered = True

    def __init__(self):
        self.taken, self.trouble = [], None

    def deliver(self, number, text, seconds, status_to, claim):
        claim()
        if self.trouble:
            raise self.trouble
        self.taken.append((number, text, seconds, status_to))
        return "SM1"


class FakeContacts:
    def __init__(self):
        self.known = {}

    def remember(self, account, customer, email, name, locale, at, phone=None):
        self.known[account, customer] = (email, name, locale, phone)


@pytest.fixture
def merchants(accounts):
    accounts.language = lambda account: "fr"
    return accounts


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def contacts():
    return FakeContacts()


@pytest.fixture
def sms(mail):
    return replace(mail, medium="sms", template="payment_failed_1", id="acct_1.in_1.sms.2")


@pytest.fixture
def reachable(door, an_invoice):
    door.invoices = [an_invoice(customer=CUSTOMER)]
    return door


@pytest.fixture
def texts(reachable, merchants, contacts, server, clocks):
    return SmsPerformer(reachable, merchants, contacts, server, None, clocks)


def result(answer):
    assert isinstance(answer, Settled), answer
    assert answer.fact.medium == "sms"
    return answer.fact.result, answer.fact.why


def test_a_text_goes_to_the_number_on_the_customer_with_the_pay_link(texts, server, contacts, sms, job):
    answer = texts(job(sms))
    assert result(answer) == ("sent", "")
    ((number, text, seconds, status_to),) = server.taken
    assert (number, seconds, status_to, answer.fact.message) == ("+4915112345678", 3 * 86_400, "", "SM1")
    assert text == (
        "Northwind Coffee: Ihre Zahlung von 49,00 € ist fehlgeschlagen. Bitte aktualisieren Sie Ihre Zahlungsdaten: "
        "https://pay.example/i/1 Abmelden: STOP"
    )
    assert contacts.known == {("acct_1", "cus_1"): ("ana@payer.example", "Ana", "de-DE", "+4915112345678")}
    assert answer.fact.state.amount_remaining == 4900


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "paid"}, "already_paid"),
        ({"status": "void"}, "voided"),
        ({"intent": "processing"}, "processing"),
        ({"parent": {"subscription_details": {"subscription": {"id": "sub_1", "status": "canceled"}}}}, "cancelled"),
        ({"customer": {"id": "cus_1", "deleted": True}}, "customer_deleted"),
        ({"customer": {"id": "cus_1", "phone": None}}, "no_phone"),
        ({"customer": {"id": "cus_1", "phone": "+49 30 901820"}}, "unusable_phone"),
        ({"customer": CUSTOMER, "hosted_invoice_url": None}, "no_pay_link"),
    ],
)
def test_who_need_not_or_cannot_be_texted_is_not(texts, server, reachable, sms, job, an_invoice, more, why):
    """B47, B55."""
    reachable.invoices = [an_invoice(**{"customer": CUSTOMER, **more})]
    assert result(texts(job(sms))) == ("skipped", why)
    assert server.taken == []


def test_a_customer_who_was_deleted_is_not_remembered_anew(texts, contacts, reachable, sms, job, an_invoice):
    """B94: what was forgotten stays forgotten."""
    reachable.invoices = [an_invoice(customer={"id": "cus_1", "deleted": True})]
    texts(job(sms))
    assert contacts.known == {}


def test_a_text_that_is_late_after_the_look_is_not_sent(reachable, merchants, contacts, server, clocks, sms, job, now):
    late = replace(sms, not_after=now.replace(year=2025))
    assert result(SmsPerformer(reachable, merchants, contacts, server, None, clocks)(job(late))) == ("skipped", "expired")


def test_a_text_in_doubt_is_never_repeated(texts, server, sms, job, now):
    """Decision 18."""
    assert result(texts(job(sms, possibly_done_since=now, in_doubt_count=1))) == ("unknown", "not_repeated")
    assert server.taken == []


@pytest.mark.parametrize(
    ("trouble", "ended"),
    [
        (OptedOut("opted_out"), ("skipped", "opted_out")),
        (PermanentFailure("bad_number"), ("failed", "bad_number")),
        (DeliveryUnknown("Twilio failed (500)"), ("unknown", "Twilio failed (500)")),
    ],
)
def test_the_ends_of_handing_over_are_told_apart(texts, server, sms, job, trouble, ended):
    server.trouble = trouble
    assert result(texts(job(sms))) == ended


def test_a_stop_that_only_twilio_heard_takes_the_consent_back(texts, server, sms, job):
    """B53: no further text is asked for."""
    server.trouble = OptedOut("opted_out")
    (fact,) = texts(job(sms)).also
    assert isinstance(fact, ConsentWithdrawn)
    assert (fact.id, fact.account, fact.customer, fact.medium) == ("acct_1.in_1.sms.2:opted_out", "acct_1", "cus_1", "sms")


def test_what_was_surely_not_taken_waits_as_long_as_was_asked(texts, server, sms, job):
    server.trouble = TemporaryFailure("busy", 7.0)
    assert texts(job(sms)) == RetryLater("busy", 7.0)


def test_without_twilio_nothing_is_looked_at(reachable, merchants, contacts, clocks, sms, job):
    assert result(SmsPerformer(reachable, merchants, contacts, None, None, clocks)(job(sms))) == ("skipped", "sms_not_configured")
    assert reachable.reads == 0


def test_a_notice_has_no_text(texts, server, sms, job):
    assert result(texts(job(replace(sms, template="payment_recovered")))) == ("skipped", "unknown_template")


@pytest.mark.parametrize(
    ("trouble", "ended"),
    [(ObjectGone("no"), ("skipped", "gone")), (NotAllowed("key"), ("skipped", "not_allowed: key")), (StripeUnreachable("x"), None)],
)
def test_an_unreadable_invoice_delays_or_ends_the_text(texts, reachable, server, sms, job, trouble, ended):
    reachable.invoices = [trouble]
    answer = texts(job(sms))
    assert result(answer) == ended if ended else isinstance(answer, RetryLater)
    assert server.taken == []


def test_twilio_is_told_where_to_tell_what_became_of_it(reachable, merchants, contacts, server, clocks, sms, job):
    links = LinkSigner(["k" * 32], "https://pay.heron.example")
    later = Clocks(clocks.business, lambda: clocks.wall() + timedelta(hours=1))
    SmsPerformer(reachable, merchants, contacts, server, links, later)(job(sms))
    address = server.taken[0][3]
    assert address.startswith("https://pay.heron.example/api/twilio/status/acct_1?m=")
    told = links.read("status", address.partition("?m=")[2])
    assert told.sending.at == clocks.business().timestamp()
    assert (told.sending.effect, told.sending.customer, told.sending.invoice) == ("acct_1.in_1.sms.2", "cus_1", "in_1")


def test_the_account_s_language_is_for_those_who_speak_none_of_ours(texts, reachable, server, sms, job, an_invoice):
    reachable.invoices = [an_invoice(customer={**CUSTOMER, "preferred_locales": ["ja"]})]
    texts(job(sms))
    assert "votre paiement" in server.taken[0][1]


def test_the_real_client_sends_it_all(reachable, merchants, contacts, clocks, sms, job):
    with listening(FakeTwilio) as twilio:
        server = TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "+15005550006", twilio.base)
        answer = SmsPerformer(reachable, merchants, contacts, server, None, clocks)(job(sms))
        assert result(answer) == ("sent", "")
        assert [(one.sid, one.seconds) for one in twilio.messages] == [(answer.fact.message, 36_000)]
        assert "ist fehlgeschlagen" in twilio.messages[0].body


def texts_in(language):
    """Every text there is, with the name of its case."""
    for step, kind, subscription in itertools.product((1, 2, 3), ("", "needs_auth"), (True, False)):
        said = SmsContent(
            merchant="Northwind Coffee",
            language=language,
            locale={"en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES"}[language],
            amount_minor=4900,
            currency="eur",
            link=SHORT,
            step=step,
            decline_kind=kind,
            subscription=subscription,
        )
        case = f"{language} {step} {'confirm' if kind else 'update'} {'subscription' if subscription else 'order'}"
        yield case, written(said)


def test_every_text_is_as_it_was_read_and_approved():
    lines = [f"{case} ({segments(text)}): {text}" for language in LANGUAGES for case, text in texts_in(language)]
    told = "\n".join(lines) + "\n"
    if os.environ.get("DUNLIN_WRITE_GOLDEN"):
        GOLDEN.write_text(told)
    assert told == GOLDEN.read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_plain_letters_and_short(language):
    """One segment with a short link, except in French; two with the longest link that Stripe makes."""
    for case, text in texts_in(language):
        assert fits(text), case
        assert segments(text) <= (2 if language == "fr" else 1), case
        assert len(text) - len(SHORT) + 100 <= TOGETHER, case


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (123456, "eur", "fr-FR", "1 234,56 €"),
        (4900, "pln", "pl-PL", "49.00 PLN"),
        (4900, "jpy", "ja-JP", "4,900 JPY"),
        (4900, "kwd", "ar-KW", "4.900 KWD"),
        (4900, "inr", "en-IN", "49.00 INR"),
        (4900, "gbp", "en-GB", "£49.00"),
    ],
)
def test_an_amount_has_a_sign_only_where_that_fits(minor, currency, locale, shown):
    text = written(SmsContent(merchant="Wader", locale=locale, amount_minor=minor, currency=currency, link=SHORT, step=1))
    assert f"payment of {shown} didn't" in text
    assert fits(text)


def test_a_name_in_other_letters_stays_right_whatever_it_costs():
    said = SmsContent(merchant="コーヒー", amount_minor=4900, currency="eur", link=SHORT, step=1, locale="en")
    assert written(said).startswith("コーヒー: your payment")
    assert segments(written(said)) == 3


def test_a_sender_that_cannot_be_answered_asks_for_no_answer():
    said = SmsContent(merchant="Wader", amount_minor=4900, currency="eur", link=SHORT, step=1, may_answer=False)
    assert "STOP" not in written(said)
