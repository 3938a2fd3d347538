"""What strangers write into a mail's headers stays what it is: a name, a subject, one address."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recovery.contracts.events import Event
from recovery.email_addresses import is_address
from recovery.presentation.messages.alert_content import Place, render_alert
from recovery.presentation.messages.mail_content import Rendered
from recovery.presentation.messages.untrusted_text import LONGEST_NAME, person
from sinks.effects.alerts.alert_mail import composed, page
from sinks.effects.mail.mime import Envelope, compose
from sinks.effects.mail.recipients import Recipients, payer, recipients
from tests.support.alerts import event

AT = datetime(2026, 5, 4, tzinfo=UTC)
BREAKOUT = "=?utf-8?q?Ana=0D=0AContent-Type:_text/html=0D=0A=0D=0A<h1>Pay</h1>?="
HOSTILE = [
    BREAKOUT,
    "=?utf-8?b?QW5hDQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "=?iso-8859-1*en?Q?=0D=0ABcc:_eve@evil.example?= Ana",
    "Ana\r\nBcc: eve@evil.example",
    "Ana\u2028Bcc: eve@evil.example",
    '"Ana" <eve@evil.example>, ',
    "==?utf-8?q?=0ABcc:_x?=",
    "=?utf-8?q?A?=\r\n =?utf-8?q?=0D=0ABcc:_x?=",
    "(((((" * 40,
    "\ud800Ana",
]
MAIL = Rendered("Your payment didn’t go through", "text", "<p>page</p>", "en")
EXPECTED = {
    *("message-id", "from", "to", "cc", "subject", "date", "auto-submitted", "reply-to"),
    *("mime-version", "content-type", "content-language"),
}


def envelope(**more):
    fields = {
        "sender": "b@heron.example",
        "sender_name": "Heron",
        "to": Recipients("ana@payer.example", ("bo@payer.example",)),
        "to_name": "Ana",
    }
    return Envelope(**{**fields, "reply_to": "help@heron.example", "message_id": "<acct_1.in_1.message.1@heron.example>", "at": AT, **more})


def as_meant(raw):
    for policy in (email.policy.default, email.policy.compat32):
        read = email.message_from_bytes(raw, policy=policy)
        assert {name.lower() for name in read.keys()} == EXPECTED  # noqa: SIM118 - a message is no dict
        assert read.get_content_type() == "multipart/alternative"
        assert len(read.get_payload()) == 2
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert [one.addr_spec for one in read["To"].addresses] == ["ana@payer.example"]
    assert [one.addr_spec for one in read["From"].addresses] == ["b@heron.example"]
    return read


@pytest.mark.parametrize("words", HOSTILE)
def test_no_name_and_no_subject_adds_a_header_or_a_body(words):
    as_meant(compose(MAIL, envelope(to_name=words)))
    as_meant(compose(MAIL, envelope(sender_name=words)))
    as_meant(compose(Rendered(f"Your payment to {words}", "text", "<p>page</p>", "en"), envelope()))


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("=?_\r\n<>\"'(),;:@.")), max_size=300))
@example(BREAKOUT)
def test_whatever_somebody_is_called_their_mail_is_written_and_read_as_meant(words):
    as_meant(compose(Rendered(words, "text", "<p>page</p>", "en"), envelope(to_name=words, sender_name=words)))


def test_names_and_subjects_of_every_script_arrive_as_they_are():
    read = as_meant(
        compose(Rendered("Ihre Zahlung an Bäckerei 東京 — 49 €", "text", "<p>p</p>", "de"), envelope(to_name="Łukasz Żółć, Dr."))
    )
    assert read["Subject"] == "Ihre Zahlung an Bäckerei 東京 — 49 €"
    assert read["To"].addresses[0].display_name == "Łukasz Żółć, Dr."


def test_an_answer_address_that_is_none_is_left_out():
    raw = compose(MAIL, envelope(reply_to="help@heron.example\r\nBcc: eve@evil.example"))
    assert b"eve@" not in raw


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ana Ruiz", "Ana Ruiz"),
        ("Dr. med. J. R. Müller-Lüdenscheidt", "Dr. med. J. R. Müller-Lüdenscheidt"),
        ("Heron GmbH & Co. KG", "Heron GmbH & Co. KG"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("Ana\u202egnp.exe", ""),
        ("Ana\u202eziuR", "AnaziuR"),
        ("Ana \x1b[2J\u200b Ruiz", "Ana [2J Ruiz"),
        ("Click http://evil.example/win now", ""),
        ("Win at www.evil", ""),
        ("evil.example/win", ""),
        ("evil．example", ""),
        ("evil。example", ""),
        ("mail eve@evil", ""),
        (BREAKOUT, ""),
    ],
)
def test_a_name_is_greeted_without_addresses_and_invisible_characters(name, shown):
    assert person(name) == shown


def test_a_long_name_is_cut():
    assert len(person("Ana " * 1000)) <= LONGEST_NAME


def alert_mail(**more):
    told: Event = event("payment_failed", amount_minor=4900, **more)
    return composed(
        page([render_alert(told, Place())], "Heron", "acct_1", test=False), "b@heron.example", "ana@payer.example", "<a@heron.example>", AT
    )


@pytest.mark.parametrize("words", [*HOSTILE, "eur\r\nBcc: eve@evil.example", "EUR http://evil.example"])
def test_no_field_of_a_signed_webhook_breaks_out_of_an_alert_mail(words):
    raw = alert_mail(currency=words, customer=words.encode("utf-8", "replace").decode(), invoice="in_1")
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert {name.lower() for name in read.keys()} == EXPECTED - {"cc", "reply-to"}  # noqa: SIM118 - a message is no dict
    assert read["Subject"] == "Payment failed"
    assert "evil" not in str(read["Subject"])


ATOMS = [
    *(f"a{chr(code)}b@x.example" for code in range(33, 127)),
    "a..b@x.example",
    ".a@x.example",
    "a.@x.example",
    "=?us-ascii?q?a?=@x.example",
]
LONG = [f"{'a' * 65}@x.example", f"a@{'x' * 64}.example", f"a@{'x.' * 130}example"]
DOMAINS = [
    "a@-x.example",
    "a@x-.example",
    "a@x..example",
    "a@x",
    "a@1.2.3.4",
    "a@x.example.",
    "a@x.example\n",
    "a@ä.example",
    "a@b@x.example",
]


@pytest.mark.parametrize("address", [*ATOMS, *LONG, *DOMAINS, "ä@x.example", ""])
def test_an_address_that_passes_the_check_can_be_written_to(address):
    if is_address(address):
        raw = compose(MAIL, envelope(to=Recipients("ana@payer.example", (address,)), sender=address.replace("@", "@b.")))
        assert email.message_from_bytes(raw, policy=email.policy.default)["Cc"].addresses[0].addr_spec == address
    else:
        assert not address.startswith(("a!b", "a#b", "a.b", "a_b", "a-b", "a+b", "aab"))


@pytest.mark.parametrize(
    "address", ["ana@payer.example", "a.b+c@sub.payer.co.uk", "o'neil@xn--mnchen-3ya.example", "a@1and1.example", "A_-b@P-q.EXAMPLE"]
)
def test_usual_addresses_pass(address):
    assert is_address(address)


@pytest.mark.parametrize(
    "bad", ["a..b@x.example", '"bo"@x.example', "bo@x", "bo@x.example\r\nBcc: eve@evil.example", "\x00@x.example", "@"]
)
def test_one_bad_billing_contact_stops_none_of_the_others(bad):
    who = payer(
        {"customer": {"email": "ana@payer.example", "metadata": {"billing_contacts": f"cy@payer.example, {bad}, di@payer.example"}}}
    )
    assert recipients(who, True, ()) == Recipients("ana@payer.example", ("cy@payer.example", "di@payer.example"))


def test_a_bad_own_address_does_not_stop_the_billing_contacts():
    who = payer({"customer": {"email": "a..b@x.example", "metadata": {"billing_contacts": "cy@payer.example"}}})
    assert recipients(who, True, ()) == Recipients("cy@payer.example")


def test_what_is_remembered_of_a_payer_is_short_and_printable():
    who = payer({"customer": {"email": "a\x00b" * 500, "name": "A\ud800\x00" * 500, "preferred_locales": ["de\x00" * 500]}})
    for text in (who.email, who.name, *who.locales):
        assert text.isprintable()
        assert len(text) <= 320
