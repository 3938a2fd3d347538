"""Mails: to people who still owe, once, at the address Stripe shows at that moment."""

import email
import re
from email.policy import default

import msgspec
import pytest

from recovery.contracts.effects import AlsoOwed, FurtherOwed
from recovery.presentation.brand import Brand
from recovery.signed_links import LinkSigner, Sending
from sinks.effects.mail.email import EmailPerformer, MailTransport
from sinks.effects.mail.smtp import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.performer import InDoubt, RetryLater, Settled
from sinks.effects.stripe.client import ObjectGone, StripeUnreachable


class FakeServer:
    def __init__(self):
        self.taken, self.trouble, self.copied, self.refused = [], None, (), ()

    def deliver(self, sender, recipient, mail, claim, others=()):
        claim()
        if self.trouble:
            raise self.trouble
        self.taken.append((sender, recipient, email.message_from_bytes(mail, policy=default)))
        self.copied = others
        return self.refused


class FakeContacts:
    def __init__(self):
        self.known, self.billing, self.gone = {}, {}, set()

    def remember(self, account, customer, email, name, locale, at):
        self.known[account, customer] = (email, name, locale)

    def replace_billing_contacts(self, account, customer, emails):
        self.billing[account, customer] = emails

    def undeliverable(self, account, emails):
        return frozenset(self.gone) & {email.lower() for email in emails}

    def bounced(self, account, customer, email, at):
        self.gone.add(email)


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def contacts():
    return FakeContacts()


@pytest.fixture
def mails(door, accounts, contacts, server, clocks):
    return EmailPerformer(door, accounts, contacts, MailTransport(server, "billing@northwind.example", True), clocks)


def result(answer):
    assert isinstance(answer, Settled), answer
    return answer.fact.result, answer.fact.why


def customer(**more):
    return {"id": "cus_1", "email": "ana@payer.example", "name": "Ana", "preferred_locales": ["de-DE"], **more}


def test_a_mail_goes_to_the_address_on_the_invoice_with_the_pay_link_in_both_bodies(mails, server, contacts, mail, job):
    answer = mails(job(mail))
    assert result(answer) == ("sent", "")
    ((sender, recipient, message),) = server.taken
    assert (sender, recipient) == ("billing@northwind.example", "ana@payer.example")
    assert message["Message-ID"] == "<acct_1.in_1.mail.1@northwind.example>" == answer.fact.message
    assert message["From"] == "Northwind Coffee <billing@northwind.example>"
    assert message["Reply-To"] == "help@northwind.example"
    assert message.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        body = message.get_body((kind,)).get_content()
        assert "https://pay.example/i/1" in body
        assert "49,00" in body
    assert contacts.known == {("acct_1", "cus_1"): ("ana@payer.example", "Ana", "de-DE")}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "paid"}, "already_paid"),
        ({"status": "void"}, "voided"),
        ({"intent": "processing"}, "processing"),
        ({"parent": {"subscription_details": {"subscription": {"id": "sub_1", "status": "canceled"}}}}, "cancelled"),
        ({"customer": {"id": "cus_1", "deleted": True}}, "customer_deleted"),
        ({"customer": {"id": "cus_1", "email": None}}, "no_contact"),
        ({"customer": {"id": "cus_1", "email": "änä@payer.example"}}, "unusable_address"),
        ({"hosted_invoice_url": None}, "no_pay_link"),
    ],
)
def test_who_need_not_or_cannot_be_written_to_is_not(mails, server, door, mail, job, an_invoice, more, why):
    door.invoices = [an_invoice(**more)]
    assert result(mails(job(mail))) == ("skipped", why)
    assert server.taken == []


def test_a_name_with_a_line_break_cannot_add_a_header(mails, server, door, mail, job, an_invoice):
    door.invoices = [an_invoice(customer={"id": "cus_1", "email": "a@b.example", "name": "Ana\r\nBcc: x@y.example"})]
    assert result(mails(job(mail))) == ("sent", "")
    assert server.taken[0][2]["Bcc"] is None


def test_a_name_with_a_control_character_is_written_without_it(mails, server, door, mail, job, an_invoice):
    """A NUL in a header is what mail servers refuse a mail for."""
    door.invoices = [an_invoice(customer={"id": "cus_1", "email": "a@b.example", "name": "Ana\x00\x07Ruiz\x1b"})]
    assert result(mails(job(mail))) == ("sent", "")
    assert server.taken[0][2]["To"] == "Ana Ruiz <a@b.example>"


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(TemporaryFailure("451"), RetryLater), (DeliveryUnknown("cut"), InDoubt), (PermanentFailure("refused with 550"), Settled)],
)
def test_the_three_ends_of_handing_over_are_told_apart(mails, server, mail, job, trouble, kind):
    server.trouble = trouble
    answer = mails(job(mail))
    assert isinstance(answer, kind)
    if isinstance(answer, Settled):
        assert result(answer) == ("failed", "refused with 550")


def test_a_doubt_is_repeated_once_and_then_unknown(mails, server, mail, job, now):
    assert result(mails(job(mail, possibly_done_since=now, in_doubt_count=1))) == ("sent", "")
    assert result(mails(job(mail, possibly_done_since=now, in_doubt_count=2)))[0] == "unknown"
    assert len(server.taken) == 1


def test_a_doubt_is_not_repeated_once_the_invoice_is_paid_or_the_mail_withdrawn(mails, server, door, mail, job, an_invoice, now):
    assert result(mails(job(mail, possibly_done_since=now, in_doubt_count=1, withdrawn="withdrawn"))) == ("unknown", "withdrawn")
    door.invoices = [an_invoice("paid")]
    assert result(mails(job(mail, possibly_done_since=now, in_doubt_count=1))) == ("unknown", "already_paid")
    assert server.taken == []


def test_an_unreadable_invoice_delays_or_ends_the_mail(mails, door, mail, job):
    door.invoices = [StripeUnreachable("down")]
    assert isinstance(mails(job(mail)), RetryLater)
    door.invoices = [ObjectGone("no")]
    assert result(mails(job(mail))) == ("skipped", "gone")


@pytest.mark.parametrize(
    ("post", "why"),
    [
        (MailTransport(None, "b@n.example", True), "no_mail_server"),
        (MailTransport(FakeServer(), "b@n.example", False), "real_mail_disabled"),
    ],
)
def test_no_mail_without_a_server_or_the_permission_to_leave(door, accounts, contacts, clocks, mail, job, post, why):
    assert result(EmailPerformer(door, accounts, contacts, post, clocks)(job(mail))) == ("skipped", why)
    assert door.reads == 0


def test_one_mail_names_every_invoice_that_is_owed_at_that_moment(mails, server, door, mail, job, an_invoice):
    """B15, B47: one was paid meanwhile, one is gone."""
    also = tuple(AlsoOwed(name, 1900, "usd") for name in ("in_2", "in_3", "in_4"))
    door.others = {
        "in_2": an_invoice(amount_remaining=1900, currency="usd", hosted_invoice_url="https://pay.example/i/2"),
        "in_3": an_invoice("paid", hosted_invoice_url="https://pay.example/i/3"),
        "in_4": ObjectGone("no"),
    }
    answer = mails(job(msgspec.structs.replace(mail, also=also)))
    assert (result(answer), answer.fact.also) == (("sent", ""), ("in_2",))
    text = server.taken[0][2].get_body(("plain",)).get_content()
    assert "https://pay.example/i/2" in text
    assert "19,00" in text
    assert "https://pay.example/i/3" not in text


def test_no_mail_looks_at_more_than_ten_other_invoices(mails, server, door, mail, job, an_invoice):
    """Whatever is asked for: each look is a call of the account's rate, and the mail's worker waits for all of them."""
    names = [f"in_{n}" for n in range(2, 60)]
    door.others = {
        name: an_invoice(amount_remaining=1900, currency="usd", hosted_invoice_url=f"https://pay.example/i/{name}") for name in names
    }
    further = (FurtherOwed(7, 7000, "usd"),)
    answer = mails(job(msgspec.structs.replace(mail, also=tuple(AlsoOwed(name, 1900, "usd") for name in names), further=further)))
    assert answer.fact.also == tuple(names[:10])
    assert door.reads == 11
    assert "(7)" in server.taken[0][2].get_body(("plain",)).get_content()


def test_a_mail_waits_when_one_of_its_invoices_cannot_be_looked_at(mails, server, door, mail, job):
    door.others = {"in_2": StripeUnreachable("down")}
    assert isinstance(mails(job(msgspec.structs.replace(mail, also=(AlsoOwed("in_2", 1, "usd"),)))), RetryLater)
    assert server.taken == []


ENDED = {"parent": {"subscription_details": {"subscription": {"id": "sub_1", "status": "canceled"}}}}


@pytest.mark.parametrize(
    ("template", "only_if", "invoice", "outcome"),
    [
        ("payment_recovered", "invoice_paid", {"status": "paid"}, ("sent", "")),
        ("payment_recovered", "invoice_paid", {"status": "open"}, ("skipped", "invoice_open")),
        ("payment_recovered", "invoice_paid", {"status": "paid", **ENDED}, ("skipped", "cancelled")),
        ("cancelled_for_non_payment", "invoice_open", ENDED, ("sent", "")),
        ("cancelled_for_non_payment", "invoice_open", {"status": "paid", **ENDED}, ("skipped", "already_paid")),
        (
            "cancelled_for_non_payment",
            "invoice_open",
            {"customer": {"id": "cus_1", "deleted": True}, **ENDED},
            ("skipped", "customer_deleted"),
        ),
    ],
)
def test_a_notice_needs_the_end_that_it_tells_of(mails, door, mail, job, an_invoice, template, only_if, invoice, outcome):
    """B48: and nobody who has cancelled is thanked."""
    door.invoices = [an_invoice(**invoice)]
    assert result(mails(job(msgspec.structs.replace(mail, template=template, step=0, only_if=only_if)))) == outcome


def test_a_payment_received_is_told_with_the_amount_that_was_owed(mails, server, door, mail, job, an_invoice):
    door.invoices = [an_invoice("paid")]
    mails(job(msgspec.structs.replace(mail, template="payment_recovered", step=0, only_if="invoice_paid")))
    message = server.taken[0][2]
    assert "ist eingegangen" in message["Subject"]
    assert "49,00" in message.get_body(("plain",)).get_content()


@pytest.fixture
def warning(mail):
    fields = {"invoice": "", "template": "card_expiring", "step": 0, "only_if": "always", "card": "2027-03", "subscription": "sub_1"}
    return msgspec.structs.replace(mail, **fields)


@pytest.mark.parametrize(
    ("subscription", "outcome"),
    [
        ({"status": "canceled"}, ("skipped", "cancelled")),
        ({"status": "active", "cancel_at_period_end": True}, ("skipped", "cancelled")),
        ({"status": "active", "pause_collection": {"behavior": "void"}}, ("skipped", "paused")),
    ],
)
def test_nobody_is_warned_of_a_card_whose_subscription_has_ended_meanwhile(mails, server, door, warning, job, subscription, outcome):
    """B47: the subscription is looked at when the mail is sent, too."""
    door.subscribed = {**door.subscribed, **subscription}
    assert result(mails(job(warning))) == outcome
    assert server.taken == []


def test_a_deleted_customer_is_neither_warned_nor_remembered_anew(mails, server, contacts, door, warning, job):
    door.known = {"id": "cus_1", "object": "customer", "deleted": True}
    assert result(mails(job(warning))) == ("skipped", "customer_deleted")
    assert (server.taken, contacts.known, contacts.billing) == ([], {}, {})


def test_a_warning_about_a_card_needs_no_invoice(mails, server, door, warning, job):
    """F68."""
    assert result(mails(job(warning))) == ("sent", "")
    assert (door.reads, server.taken[0][1]) == (0, "ana@payer.example")
    assert "März 2027" in server.taken[0][2].get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("locales", "default", "language", "subject"),
    [
        (["de-DE"], "", "de", "Ihre Zahlung an"),
        (["pt", "fr-CA"], "", "fr", "Votre paiement"),
        (["pt"], "es", "es", "Su pago"),
        ([], "", "en", "Your payment"),
    ],
)
def test_a_mail_is_in_the_customer_s_language(mails, server, door, accounts, mail, job, an_invoice, locales, default, language, subject):
    door.invoices = [an_invoice(customer=customer(preferred_locales=locales))]
    accounts.looks = Brand(language=default)
    mails(job(mail))
    message = server.taken[0][2]
    assert message["Content-Language"] == language
    assert message["Subject"].startswith(subject)
    assert f'<html lang="{language}">' in message.get_body(("html",)).get_content()


def test_from_the_second_step_on_every_billing_contact_gets_a_copy(mails, server, contacts, door, mail, job, an_invoice):
    """B56: owner first, admins later."""
    door.invoices = [
        an_invoice(customer=customer(metadata={"billing_contacts": "bo@payer.example, Ana@payer.example,no address,cy@payer.example"}))
    ]
    mails(job(mail))
    assert (server.taken[0][1], server.copied, server.taken[0][2]["Cc"]) == ("ana@payer.example", (), None)
    mails(job(msgspec.structs.replace(mail, step=2, to="everyone")))
    assert (server.taken[1][1], server.copied) == ("ana@payer.example", ("bo@payer.example", "cy@payer.example"))
    assert server.taken[1][2]["Cc"] == "bo@payer.example, cy@payer.example"
    assert contacts.billing == {("acct_1", "cus_1"): ("bo@payer.example", "cy@payer.example")}


def test_a_contact_that_bounced_is_left_out_and_silences_nobody_else(mails, server, contacts, door, mail, job, an_invoice):
    """B56."""
    door.invoices = [an_invoice(customer=customer(metadata={"billing_contacts": "bo@payer.example,cy@payer.example"}))]
    everyone = msgspec.structs.replace(mail, step=2, to="everyone")
    server.refused = ("bo@payer.example",)
    assert result(mails(job(everyone))) == ("sent", "")
    assert contacts.gone == {"bo@payer.example"}
    mails(job(everyone))
    assert (server.taken[1][1], server.copied) == ("ana@payer.example", ("cy@payer.example",))
    contacts.gone = {"ana@payer.example"}
    mails(job(mail))
    assert (server.taken[2][1], server.copied) == ("bo@payer.example", ())


def test_when_all_contacts_bounced_the_customer_s_own_address_is_tried(mails, server, contacts, door, mail, job, an_invoice):
    door.invoices = [an_invoice(customer=customer(metadata={"billing_contacts": "bo@payer.example"}))]
    contacts.gone = {"ana@payer.example", "bo@payer.example"}
    mails(job(mail))
    assert server.taken[0][1] == "ana@payer.example"


def test_a_customer_without_an_own_address_is_reached_through_the_first_billing_contact(mails, server, door, mail, job, an_invoice):
    door.invoices = [an_invoice(customer=customer(email=None, metadata={"billing_contacts": "bo@payer.example"}))]
    assert result(mails(job(mail))) == ("sent", "")
    assert server.taken[0][1] == "bo@payer.example"


WHITE = Brand(white_label=True, sender="billing@heron.example", name="Heron Yards", colour="#f2c14e")
LINKS = LinkSigner(["k" * 32], "https://go.dunlin.example")


def parts(message):
    return [message.get_body((kind,)).get_content() for kind in ("plain", "html")]


def test_with_a_white_label_our_name_is_in_no_header_and_no_part(door, accounts, contacts, server, clocks, mail, job):
    """Product decision 32: not in the sender, the Message-ID or any link either."""
    accounts.looks = WHITE
    EmailPerformer(door, accounts, contacts, MailTransport(server, "billing@dunlin.example", True, LINKS), clocks)(job(mail))
    sender, _, message = server.taken[0]
    assert sender == "billing@heron.example"
    assert message["Message-ID"] == "<acct_1.in_1.mail.1@heron.example>"
    assert "dunlin" not in (message.as_string() + "".join(parts(message))).lower()
    assert message["List-Unsubscribe"] is None


def test_a_white_label_is_tracked_under_the_merchant_s_own_domain(door, accounts, contacts, server, clocks, mail, job):
    accounts.looks = msgspec.structs.replace(WHITE, links_url="https://go.heron.example")
    EmailPerformer(door, accounts, contacts, MailTransport(server, "billing@dunlin.example", True, LINKS), clocks)(job(mail))
    message = server.taken[0][2]
    assert 'href="https://go.heron.example/c/' in parts(message)[1]
    assert message["List-Unsubscribe"].startswith("<https://go.heron.example/u/")
    assert "dunlin" not in (message.as_string() + "".join(parts(message))).lower()


def test_a_page_tells_of_clicks_and_openings_and_a_wish_for_silence_takes_one_click(door, accounts, contacts, server, clocks, mail, job):
    """B53, RFC 8058."""
    EmailPerformer(door, accounts, contacts, MailTransport(server, "billing@n.example", True, LINKS), clocks)(job(mail))
    message = server.taken[0][2]
    text, page = parts(message)
    ((_, clicked),) = re.findall(r'href="https://go.dunlin.example(/c/)([\w-]+)"', page)
    ((_, opened),) = re.findall(r'src="https://go.dunlin.example(/o/)([\w-]+)"', page)
    (wish,) = re.fullmatch(r"<https://go.dunlin.example/u/([\w-]+)>", message["List-Unsubscribe"]).groups()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    sending = Sending("acct_1", "cus_1", "in_1", "acct_1.in_1.mail.1", int(clocks.business().timestamp()))
    assert LINKS.read("click", clicked).target == "https://pay.example/i/1"
    assert [LINKS.read(kind, token).sending for kind, token in (("click", clicked), ("open", opened), ("unsubscribe", wish))] == [
        sending
    ] * 3
    assert "go.dunlin.example" not in text
    assert "https://pay.example/i/1" in text


def test_without_a_public_address_a_mail_has_direct_links_and_no_image(mails, server, mail, job):
    mails(job(mail))
    message = server.taken[0][2]
    assert 'href="https://pay.example/i/1"' in parts(message)[1]
    assert "<img" not in parts(message)[1]
    assert message["List-Unsubscribe"] is None


def test_the_last_mail_offers_no_silence_and_a_plain_http_address_neither(door, accounts, contacts, server, clocks, mail, job, an_invoice):
    door.invoices = [an_invoice(**ENDED)]
    over = msgspec.structs.replace(mail, template="cancelled_for_non_payment", step=0)
    EmailPerformer(door, accounts, contacts, MailTransport(server, "b@n.example", True, LINKS), clocks)(job(over))
    door.invoices = [an_invoice()]
    EmailPerformer(door, accounts, contacts, MailTransport(server, "b@n.example", True, LINKS.at("http://127.0.0.1:1")), clocks)(job(mail))
    assert [message["List-Unsubscribe"] for _, _, message in server.taken] == [None, None]


def test_a_wish_that_would_not_be_followed_is_not_offered(door, accounts, contacts, server, clocks, mail, job):
    """B53: the policy decides."""
    unheard = msgspec.structs.replace(mail, unsubscribe=False)
    EmailPerformer(door, accounts, contacts, MailTransport(server, "b@n.example", True, LINKS), clocks)(job(unheard))
    assert server.taken[0][2]["List-Unsubscribe"] is None


def test_long_headers_that_programs_compare_stand_on_one_line(door, accounts, contacts, clocks, mail, job):
    raw = []
    server = FakeServer()
    server.deliver = lambda sender, recipient, mail, claim, others: raw.append(mail) or ()
    EmailPerformer(door, accounts, contacts, MailTransport(server, "b@n.example", True, LINKS), clocks)(job(mail))
    head = raw[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"Message-ID: <acct_1.in_1.mail.1@n.example>"
    assert head[1].startswith(b"List-Unsubscribe: <https://")
    assert head[1].endswith(b">")
    assert all(len(line) <= 78 for line in head[2:])


def test_a_message_id_shows_that_the_mail_was_sent_to_that_customer_and_is_the_same_when_it_is_repeated(
    door, accounts, contacts, server, clocks, mail, job, now
):
    """B53: a bounce or complaint is believed by it, with or without a public address."""
    post = MailTransport(server, "billing@northwind.example", True, None, LINKS)
    for since in (None, now):
        EmailPerformer(door, accounts, contacts, post, clocks)(job(mail, possibly_done_since=since))
    first, second = (message["Message-ID"] for _, _, message in server.taken)
    tag = first.partition("+")[2].partition("@")[0]
    assert LINKS.is_mail_tag(tag, mail.id, "cus_1")
    assert not LINKS.is_mail_tag(tag, mail.id, "cus_2")
    assert first == second
