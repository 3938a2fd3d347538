"""Alert mails: what a merchant reads, and how they are handed over."""

import email
import os
import re
from email.policy import default
from pathlib import Path

import pytest

from recovery.presentation.messages.alert_content import Place, dashboard_for, render_alert, summary
from sinks.effects.alerts.alert_mail import SHOWN, MailChannel, page
from tests.support.alerts import PLACE, event, mails

GOLDEN = Path(__file__).parent / "golden" / "alerts"


class FakeServer:
    def __init__(self):
        self.taken = []

    def deliver(self, sender, recipient, mail, claim):
        claim()
        self.taken.append((sender, recipient, email.message_from_bytes(mail, policy=default)))


class Merchants:
    address = "ops@heron.example"

    def alert_email(self, account):
        return self.address

    def name(self, account):
        return "Heron Yards"

    def livemode(self, account):
        return False


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def channel(server, now):
    return MailChannel(Merchants(), server, "billing@dunlin.example", lambda: now, PLACE.dashboard, may_leave=True)


def test_an_alert_mail_names_what_happened_and_where_to_look(channel, server):
    channel.deliver("acct_1", [event()], "acct_1.in_42.alert.1", lambda: None)
    ((sender, recipient, mail),) = server.taken
    assert (sender, recipient) == ("billing@dunlin.example", "ops@heron.example")
    assert mail["Message-ID"] == "<acct_1.in_42.alert.1@dunlin.example>" == channel.message("acct_1.in_42.alert.1")
    assert (mail["From"], mail["Subject"]) == ("Dunlin <billing@dunlin.example>", "Payment failed: €49.00")
    for kind in ("plain", "html"):
        body = mail.get_body((kind,)).get_content()
        assert "https://dashboard.stripe.com/acct_1/test/invoices/in_42" in body
        assert "Insufficient funds (soft)" in body
        assert "Test mode" in body


def test_the_same_alert_always_gives_the_same_mail(channel, server):
    for _ in range(2):
        channel.deliver("acct_1", [event()], "acct_1.in_42.alert.1", lambda: None)
    assert server.taken[0][2].as_bytes() == server.taken[1][2].as_bytes()


@pytest.mark.parametrize(
    ("address", "more", "why"),
    [
        ("", {}, "no_address"),
        ("änä@heron.example", {}, "unusable_address"),
        ("Ana <ops@heron.example>", {}, "unusable_address"),
        ("ops@", {}, "unusable_address"),
        ("ops@heron.example", {"server": None}, "no_mail_server"),
        ("ops@heron.example", {"may_leave": False}, "real_mail_disabled"),
        ("ops@heron.example", {}, ""),
    ],
)
def test_why_no_mail_goes_is_known_before(server, now, address, more, why):
    merchants = Merchants()
    merchants.address = address
    taker, may_leave = more.get("server", server), more.get("may_leave", True)
    assert MailChannel(merchants, taker, "b@d.example", lambda: now, "", may_leave=may_leave).why_not("acct_1") == why


@pytest.mark.parametrize(("name", "mail"), list(mails()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_alert_mail_is_as_it_was_read_and_approved(name, mail):
    bare = re.sub(r"(?s)<style>.*?</style>| (style|bgcolor)=\"[^\"]*\"", "", mail.html)  # how it looks is the matter of payers' mails
    for ending, body in (("txt", f"{mail.subject}\n\n{mail.text}"), ("html", bare)):
        path = GOLDEN / f"{name}.{ending}"
        if os.environ.get("DUNLIN_WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(body)
        assert body == path.read_text()


@pytest.mark.parametrize(("name", "mail"), list(mails()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_link_of_a_mail_is_whole(name, mail):
    for address in re.findall(r'href="([^"]+)"', mail.html):
        assert re.match(r"https://(dunlin\.heron\.example/\?|dashboard\.stripe\.com/acct_1/)", address), (name, address)


def test_a_digest_counts_all_and_never_sums_across_currencies():
    told = [render_alert(event(), PLACE)] * 3 + [
        render_alert(event(currency="usd", amount_minor=100), PLACE),
        render_alert(event("payment_recovered"), PLACE),
    ]
    assert summary(told) == [("4 × Payment failed", "€147.00 + $1.00"), ("1 × Payment recovered", "€49.00")]


def test_a_long_digest_says_what_it_leaves_out():
    told = [render_alert(event(), PLACE)] * (SHOWN + 20)
    mail = page(told, "Heron Yards", "acct_1", test=False)
    assert mail.text.count("- Payment failed") == SHOWN
    assert "The newest 20 of them are only in the totals." in mail.text


def test_what_strangers_write_stays_text():
    hostile = render_alert(event("endpoint_disabled", details={"endpoint": "<script>", "why": "x"}), PLACE)
    assert "<script>" not in page([hostile], "<b>\r\nBcc: x", "acct_1", test=False).html


def test_only_people_of_the_account_that_the_dashboard_shows_are_led_there():
    assert dashboard_for("acct_1", "https://d.example", "acct_1") == "https://d.example"
    assert dashboard_for("acct_2", "https://d.example", "acct_1") == ""
    assert dashboard_for("acct_2", "https://d.example", "") == ""
    assert dashboard_for("acct_2", "https://d.example", None) == "https://d.example"


def test_live_objects_are_looked_up_in_live_mode():
    links = dict(render_alert(event(), Place(livemode=True)).links)
    assert links == {"Open in Stripe": "https://dashboard.stripe.com/acct_1/invoices/in_42"}


def test_what_concerns_no_invoice_leads_to_its_customer():
    links = dict(render_alert(event("contact_changed", invoice="", reason="bounced"), PLACE).links)
    assert links["Open in Stripe"] == "https://dashboard.stripe.com/acct_1/test/customers/cus_7"
    assert links["Open the dashboard"] == "https://dunlin.heron.example/?account=acct_1&customer=cus_7"
