"""Returned mails: whose they were, whether the address is invalid, and that nothing else is believed (B53, B56)."""

import contextlib
import mailbox

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.mailbox.bounce_attribution import BounceResolver, DeliveryReport, effect_of, without_addresses
from producers.mailbox.mailboxes import MailboxFailed, Maildir, opened
from producers.mailbox.poller import POLL_SECONDS, MailboxRound, poll, poll_until
from producers.providers.dsn import NotAReport, is_hard, notices
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.encoding.codec import decode_fact
from recovery.contracts.facts import MessageBounced, MessageComplained
from recovery.ids import message_id
from recovery.signed_links import LinkSigner, Sending
from tests.unit.producers.gateway.gateway_client import LINKS, MESSAGE_ID, SENT, MemoryContacts, now
from tests.unit.producers.returned_mails import HEADERS, OUT_OF_OFFICE, bounce, complaint

NO_LINK = f"Message-ID: {MESSAGE_ID}\nTo: anna@payer.example\n"
STRANGE = "Message-ID: <20261124.1@elsewhere.example>\nTo: bob@elsewhere.example\n"


@pytest.fixture
def contacts() -> MemoryContacts:
    return MemoryContacts(emails={("acct_1", "anna@payer.example"): ("cus_1",)})


def facts(raw: bytes, contacts: MemoryContacts, accounts=("acct_0", "acct_1")):
    whose = BounceResolver(LINKS, contacts)
    return [fact for notice in notices(raw) for fact in whose.facts(notice, accounts, now(), now())]


@pytest.mark.parametrize("whole", [True, False])
def test_a_hard_bounce_is_told_of_the_customer_in_our_signed_link(contacts, whole):
    """B53"""
    contacts.emails.clear()
    [fact] = facts(bounce(whole=whole), contacts)
    assert isinstance(fact, MessageBounced)
    assert (fact.account, fact.customer, fact.invoice, fact.cause, fact.hard) == ("acct_1", "cus_1", "in_1", SENT.effect, True)
    assert fact.message == MESSAGE_ID
    assert contacts.dead == [("acct_1", "cus_1", "anna@payer.example")]


def test_without_a_link_message_id_and_address_say_whose_it_was(contacts):
    [fact] = facts(bounce(headers=NO_LINK), contacts)
    assert (fact.account, fact.customer, fact.invoice) == ("acct_1", "cus_1", "in_1")


def test_of_customers_who_share_an_address_only_the_one_who_was_written_to_is_told_of(contacts):
    contacts.emails["acct_1", "anna@payer.example"] = ("cus_1", "cus_2")
    assert [fact.customer for fact in facts(bounce(headers=NO_LINK), contacts)] == ["cus_1"]


@pytest.mark.parametrize(
    "message",
    [
        message_id("acct_1.in_9.message.1", "billing.example"),
        message_id("acct_1.in_9.message.1", "billing.example", "0" * 20),
        message_id("acct_1.in_9.message.1", "billing.example", LINKS.mail_tag(SENT.effect, "cus_1")),
        message_id(SENT.effect, "billing.example", LinkSigner(["x" * 40]).mail_tag(SENT.effect, "cus_1")),
        message_id(SENT.effect, "billing.example", LINKS.mail_tag(SENT.effect, "cus_7")),
    ],
)
@pytest.mark.parametrize("kind", ["bounce", "complaint"])
def test_a_report_about_a_mail_that_was_never_sent_to_that_customer_silences_nobody(contacts, message, kind):
    """Not one of the right form, none with another mail's tag, and none by which one customer speaks against another."""
    headers = f"Message-ID: {message}\nTo: anna@payer.example\n"
    raw = bounce(headers=headers) if kind == "bounce" else complaint(headers=headers)
    assert facts(raw, contacts) == []
    assert contacts.dead == []


def test_a_tag_outlives_a_change_of_the_keys_and_of_its_letters_case(contacts):
    newer = BounceResolver(LinkSigner(["n" * 40, "k" * 40]), contacts)
    tag = LINKS.mail_tag(SENT.effect, SENT.customer)
    shouted = NO_LINK.replace(tag, tag.upper())
    [notice] = notices(bounce(headers=shouted))
    assert [fact.customer for fact in newer.facts(notice, ["acct_1"], now(), now())] == ["cus_1"]


@pytest.mark.parametrize("headers", [HEADERS, NO_LINK])
def test_a_recipient_that_no_database_takes_is_none(contacts, headers):
    """PostgreSQL refuses NUL: one forged report must not stop the reading of all others."""
    contacts.emails["acct_1", "an\0na@payer.example"] = ("cus_1",)
    told = facts(bounce(headers=headers).replace(b"anna@payer.example", b"an\0na@payer.example"), contacts)
    assert contacts.dead == []
    assert [fact.remaining for fact in told] == ([-1] if headers == HEADERS else [])


@pytest.mark.parametrize("headers", [STRANGE, "", NO_LINK.replace("acct_1", "acct_7"), HEADERS.replace("acct_1.", "acct_7.")[:60]])
def test_a_mail_that_was_not_ours_is_nobodys(contacts, headers):
    contacts.emails.clear()
    assert facts(bounce(headers=headers), contacts) == []


def test_a_link_signed_by_somebody_else_is_not_believed(contacts):
    contacts.emails.clear()
    ours, theirs = LINKS.unsubscribe(SENT), LinkSigner(["x" * 40], LINKS.base).unsubscribe(SENT)
    assert ours[60:] in HEADERS
    forged = HEADERS.replace(ours[:60], theirs[:60]).replace(ours[60:], theirs[60:])
    assert facts(bounce(headers=forged), contacts) == []


@pytest.mark.parametrize(
    ("status", "diagnostic", "hard"),
    [
        ("5.1.1", "", True),
        ("5.1.10", "", True),
        ("5.2.1", "", True),
        ("5.4.4", "", True),
        ("5.0.0", "smtp; 550 5.1.1 unknown user", True),
        ("5.0.0", "smtp; 550 no such user", True),
        ("5.0.0", "smtp; 552 5.2.2 mailbox full", False),
        ("5.2.2", "", False),
        ("5.3.4", "", False),
        ("5.7.1", "smtp; 550 5.7.1 blocked as spam", False),
        ("4.4.1", "", False),
        ("4.2.2", "", False),
        ("", "", False),
    ],
)
def test_only_what_is_the_addresss_fault_is_hard(status, diagnostic, hard):
    """B53"""
    assert is_hard(status, diagnostic) is hard


@pytest.mark.parametrize(
    ("action", "status", "told"), [("failed", "4.4.7", [False]), ("delayed", "4.4.1", [False]), ("delivered", "2.0.0", [])]
)
def test_a_soft_bounce_is_soft_and_a_delivery_is_none(contacts, action, status, told):
    assert [fact.hard for fact in facts(bounce(status, action), contacts)] == told
    assert contacts.dead == []


def test_the_same_report_again_is_the_same_fact(contacts):
    assert facts(bounce(), contacts) == facts(bounce(), contacts)
    assert facts(bounce(), contacts)[0].id != facts(bounce("4.4.1"), contacts)[0].id


def test_a_complaint_is_told_and_a_report_of_not_spam_is_none(contacts):
    """B53"""
    [fact] = facts(complaint(), contacts)
    assert isinstance(fact, MessageComplained)
    assert (fact.customer, fact.cause) == ("cus_1", SENT.effect)
    assert facts(complaint("not-spam"), contacts) == []


def test_no_address_reaches_a_fact(contacts):
    """B94"""
    [fact] = facts(bounce(), contacts)
    assert "anna" not in fact.why
    assert "(address)" in fact.why
    assert "anna" not in fact.id


def test_the_name_before_the_at_sign_reaches_no_fact_either():
    """B94"""
    assert (
        without_addresses("550 5.1.1 <Jo.Doe>... user jo.doe unknown", "jo.doe@payer.example")
        == "550 5.1.1 <(address)>... user (address) unknown"
    )


@given(st.text(), st.text())
def test_the_reason_is_short_and_on_one_line(text, recipient):
    kept = without_addresses(text, recipient)
    assert len(kept) <= 200
    assert "\n" not in kept


@pytest.mark.parametrize("text", ["a" * 400_000, "a@" * 200_000, "a " * 200_000, "<" * 400_000])
def test_a_servers_words_are_cut_before_they_are_searched(text):
    """A search in the whole of them would take minutes; the limit of a test ends it."""
    assert len(without_addresses(text, "jo@payer.example")) <= 200


def test_no_beginning_of_an_address_is_left_where_the_words_are_cut():
    text = "jo.the.first@payer.example," * 200 + " x"
    for more in range(30):
        assert "jo" not in without_addresses("y" * more + " " + text)


def test_a_header_that_the_mail_library_would_read_for_hours_makes_a_report_none():
    header = b'Content-Type: multipart/report; x="' + b";" * 900_000
    with pytest.raises(NotAReport, match="Content-Type"):
        notices(header + b"\r\n\r\n")


@pytest.mark.parametrize("raw", [OUT_OF_OFFICE, b"", b"\xff\xfe\x00", b"Content-Type: multipart/report; report-type=delivery-status\n\nx"])
def test_what_is_no_report_is_set_aside(raw):
    with pytest.raises(NotAReport):
        notices(raw)


@given(st.binary(max_size=300), st.integers(0, 1500))
def test_no_bytes_make_the_reader_fail_in_another_way(noise, place):
    raw = bounce()
    with contextlib.suppress(NotAReport):
        notices(raw[:place] + noise + raw[place:])


@pytest.mark.parametrize("effect", ["acct_1.in_1.message.3", "acct_1.~sub_1.notice.1", "acct_1.in_1.sms.12"])
def test_the_effect_is_read_back_from_its_message_id(effect):
    assert effect_of(message_id(effect, "billing.example")) == effect
    assert effect_of(message_id(effect, "billing.example", "0a" * 10)) == effect
    assert effect_of("<hello@billing.example>") == ""
    assert effect_of("<acct_1.in_1.charge.1@billing.example>") == ""


class MemoryPublisher:
    def __init__(self) -> None:
        self.sent, self.stored, self.down = [], [], False

    def send(self, topic, key, value):
        self.sent.append(decode_fact(value))

    def flush(self):
        if self.down:
            raise NotDelivered("no broker")
        self.stored += self.sent
        self.sent = []


@pytest.fixture
def folder(tmp_path):
    box = mailbox.Maildir(tmp_path / "box", create=True)
    for raw in (bounce(), complaint(), OUT_OF_OFFICE, bounce(headers=STRANGE)):
        box.add(raw)
    return box


def counts(box):
    return {name: len(box.get_folder(name)) for name in box.list_folders()} | {"": len(box)}


def read(folder, contacts, publisher):
    url = f"maildir:{folder._path}"
    return poll(lambda: opened(url), BounceResolver(LINKS, contacts), ["acct_1"], publisher, now, now)


def test_a_mailbox_is_emptied_into_what_was_told_and_what_was_not(folder, contacts):
    publisher = MemoryPublisher()
    assert read(folder, contacts, publisher) == MailboxRound(handled=2, unread=2, facts=2)
    assert counts(folder) == {"Handled": 2, "Unread": 2, "": 0}
    assert {type(fact) for fact in publisher.stored} == {MessageBounced, MessageComplained}
    assert read(folder, contacts, publisher) == MailboxRound(0, 0, 0)


def test_while_the_broker_is_away_every_report_stays(folder, contacts):
    publisher = MemoryPublisher()
    publisher.down = True
    with pytest.raises(NotDelivered):
        read(folder, contacts, publisher)
    assert counts(folder).get("Handled", 0) == 0
    publisher.down, publisher.sent = False, []
    assert read(folder, contacts, publisher).facts == 2


def test_a_look_that_fails_is_made_again(folder):
    tried = []

    def once():
        tried.append(1)
        raise MailboxFailed("away")

    poll_until(once, lambda _seconds: len(tried) == 3, 60)
    assert len(tried) == 3


@pytest.mark.parametrize(("every", "pauses"), [(86_400, [POLL_SECONDS, 86_400]), (5, [5, 5])])
def test_a_look_that_failed_does_not_wait_for_its_next_day(every, pauses):
    waited = []

    def once():
        if not waited:
            raise MailboxFailed("away")

    def wait(seconds):
        waited.append(seconds)
        return len(waited) == 2

    poll_until(once, wait, every)
    assert waited == pauses


@pytest.mark.parametrize("url", ["imap://a:b@host/", "imaps://host/INBOX", "maildir:", "/var/mail", "https://a.example"])
def test_an_address_that_is_no_mailbox_is_refused(url):
    with pytest.raises(ValueError, match="imaps://"):
        opened(url)


def test_a_maildir_that_is_not_there_is_told(tmp_path):
    with pytest.raises(MailboxFailed, match="no Maildir"):
        Maildir(tmp_path / "nowhere")


def test_a_notice_about_a_contact_keeps_its_name(contacts):
    """B56"""
    sending = Sending("acct_1", "cus_1", "in_1", SENT.effect, 0, contact="billing_2")
    notice = DeliveryReport(kind="bounced", hard=True, unsubscribe=f"<{LINKS.unsubscribe(sending)}>")
    [fact] = BounceResolver(LINKS, contacts).facts(notice, ["acct_1"], now(), now())
    assert (fact.contact, fact.remaining) == ("billing_2", -1)
