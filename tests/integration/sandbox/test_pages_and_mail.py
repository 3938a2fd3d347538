import json
import smtplib
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import EmailMessage

import pytest

from .conftest import until


def _mail(to: str, link: str, message_id: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "billing@merchant.example", to, "Your payment <did> not go through"
    mail["Message-ID"] = message_id
    mail.set_content(f"Please pay here: {link}")
    mail.add_alternative(f'<p>Please <a href="{link}">pay</a></p>', subtype="html")
    return mail


def _send(one, mail: EmailMessage, timeout: float = 10) -> None:
    with smtplib.SMTP("127.0.0.1", one.info["smtp_port"], timeout=timeout) as server:
        server.send_message(mail)


def _page(one, bill) -> str:
    return str(one.client.v1.invoices.retrieve(bill["id"]).hosted_invoice_url)


def _email(one, bill) -> str:
    return str(one.client.v1.customers.retrieve(bill["customer"]).email)


def _fetch(url: str, method: str = "GET", **form: str) -> tuple[int, str]:
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_looking_at_the_invoice_page_changes_nothing(month) -> None:
    bill = month.unpaid("insufficient_funds")
    before = month.get("/_truth")
    assert _fetch(_page(month, bill))[0] == 200
    assert _fetch(_page(month, bill), "HEAD")[0] == 200
    after = month.get("/_truth")
    assert [after[part] for part in ("attempts", "invoices")] == [before[part] for part in ("attempts", "invoices")]


def test_a_person_pays_on_the_page_with_a_card_that_fails_and_then_one_that_works(month) -> None:
    bill = month.unpaid("expired")
    status, html = _fetch(_page(month, bill), "POST", choice="insufficient_funds")
    assert (status, "insufficient funds" in html) == (402, True)
    assert _fetch(_page(month, bill), "POST", choice="nonsense")[0] == 400
    status, html = _fetch(_page(month, bill), "POST", choice="good")
    assert (status, "is paid" in html, "<form" in html) == (200, True, False)
    assert _fetch(_page(month, bill), "POST", choice="good")[0] == 200
    mine = [a for a in month.get("/_truth")["attempts"] if a["invoice"] == bill["id"]]
    assert [(a["actor"], a["outcome"]) for a in mine] == [
        ("initial", "declined"),
        ("hosted_page", "declined"),
        ("hosted_page", "succeeded"),
    ]


def test_void_invoices_and_unknown_links_are_told_kindly(month) -> None:
    bill = month.unpaid()
    month.client.v1.invoices.void_invoice(bill["id"])
    assert "cancelled" in _fetch(_page(month, bill))[1]
    assert _fetch(month.info["api_base"] + "/i/nothing")[0] == 404


def test_a_mail_is_kept_shown_and_known_to_the_truth(month) -> None:
    bill = month.unpaid()
    to = _email(month, bill)
    for _ in range(2):
        _send(month, _mail(to, _page(month, bill), "<one@merchant.example>"))
    known = next(m for m in month.get("/_truth")["mails"] if m["message_id"] == "<one@merchant.example>")
    assert (known["invoice"], known["customer"], known["copies"]) == (bill["id"], bill["customer"], 2)
    assert known["invoice_status_at_receipt"] == "open"
    lines = [json.loads(line) for line in (month.home / "mails.jsonl").read_text().splitlines()]
    number = lines[-1]["number"]
    listed = _fetch(f"{month.info['inbox_url']}?{urllib.parse.urlencode({'to': to})}")[1]
    assert "&lt;did&gt;" in listed
    assert f"/inbox/{number}" in listed
    shown = _fetch(f"{month.info['inbox_url']}/{number}")[1]
    assert "<iframe sandbox=" in shown
    assert "Message-ID" in shown
    assert _fetch(f"{month.info['inbox_url']}/99999")[0] == 404
    assert "No mail for this address" in _fetch(f"{month.info['inbox_url']}?to=nobody")[1]


def _kept(one, message_id: str) -> list[int]:
    """The number of copies that the truth knows, in a list; empty without the mail."""
    return [mail["copies"] for mail in one.get("/_truth")["mails"] if mail["message_id"] == message_id]


def test_a_refused_mail_is_not_kept_and_the_next_one_is(month) -> None:
    bill = month.unpaid()
    mail = _mail(_email(month, bill), _page(month, bill), "<refused@x>")
    month.post("/_faults", smtp="refuse")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        _send(month, mail)
    assert (refused.value.smtp_code, _kept(month, "<refused@x>")) == (451, [])
    _send(month, mail)
    assert _kept(month, "<refused@x>") == [1]


def test_a_dropped_connection_leaves_the_mail_kept_and_its_sender_without_an_answer(month) -> None:
    bill = month.unpaid()
    mail = _mail(_email(month, bill), _page(month, bill), "<dropped@x>")
    month.post("/_faults", smtp="drop_after_data", count=2)
    for copies in (1, 2):
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            _send(month, mail)
        assert _kept(month, "<dropped@x>") == [copies]
    _send(month, mail)
    assert _kept(month, "<dropped@x>") == [3]


def test_a_slow_inbox_answers_late_and_keeps_nothing_of_a_sender_who_left_before(month) -> None:
    bill = month.unpaid()
    to, link = _email(month, bill), _page(month, bill)
    month.post("/_faults", smtp="slow", count=2)
    with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
        _send(month, _mail(to, link, "<hasty@x>"), timeout=0.5)
    begun = time.monotonic()
    _send(month, _mail(to, link, "<slow@x>"))
    assert time.monotonic() - begun >= 2.5
    assert (_kept(month, "<slow@x>"), _kept(month, "<hasty@x>")) == ([1], [])


def test_a_fault_ordered_while_a_mail_is_on_its_way_strikes_the_next_mail(month) -> None:
    with smtplib.SMTP("127.0.0.1", month.info["smtp_port"], timeout=10) as server:
        server.ehlo()
        server.mail("billing@merchant.example")
        server.rcpt("anybody@mail.example")
        month.post("/_faults", smtp="refuse")
        assert server.data(b"Message-ID: <underway@x>\r\n\r\nhello")[0] == 250
        assert server.mail("billing@merchant.example")[0] == 451
    assert _kept(month, "<underway@x>") == [1]


def test_the_front_door_says_what_this_is_and_leads_to_inbox_and_truth(month) -> None:
    status, html = _fetch(month.info["api_base"] + "/")
    assert status == 200
    assert "An imaginary Stripe" in html
    assert "The clock is held: test" in html
    assert {'href="/inbox"', 'href="/_truth"', 'href="/_truth/summary"'} <= set(html.replace(">", " ").split())


def test_the_inbox_says_who_was_written_to_and_what_became_of_the_invoice(month) -> None:
    bill = month.unpaid("insufficient_funds")
    to, link = _email(month, bill), _page(month, bill)
    name = month.client.v1.customers.retrieve(bill["customer"]).name
    _send(month, _mail(to, link, "<shown@x>"))
    listing = f"{month.info['inbox_url']}?{urllib.parse.urlencode({'to': name})}"
    before = _fetch(listing)[1]
    assert all(told in before for told in (name, to, ">Unpaid<", f" {bill['currency'].upper()}<"))
    _fetch(link, "POST", choice="good")
    assert ">Paid<" in _fetch(listing)[1]
    assert "on the invoice page" in _fetch(_letter_link(month, "<shown@x>"))[1]


def _letter_link(one, message_id: str) -> str:
    letters = [json.loads(line) for line in (one.home / "mails.jsonl").read_text().splitlines()]
    return f"{one.info['inbox_url']}/{next(letter['number'] for letter in letters if letter['message_id'] == message_id)}"


def test_an_empty_inbox_says_so(start_sandbox) -> None:
    one = start_sandbox("--customers", "20")
    html = _fetch(one.info["inbox_url"])[1]
    assert "The inbox is empty" in html
    assert "has not been started" in html


def test_mailed_customers_come_to_the_page_and_pay(start_sandbox) -> None:
    one = start_sandbox("--customers", "400", "--speed", "864000", "--seed", "3")
    one.post("/_start")
    until(lambda: one.get("/_progress")["failures"] >= 40, "40 failures")
    one.post("/_clock/hold")
    for bill in one.get("/_truth")["invoices"]:
        email = one.client.v1.customers.retrieve(bill["customer"]).to_dict().get("email")
        if bill["status"] == "open" and bill["first_failed_at"] and email:
            for step in range(3):
                _send(one, _mail(email, _page(one, bill), f"<{bill['id']}.{step}@x>"))
    one.post("/_clock/release")
    paid = until(lambda: [r for r in one.get("/_truth")["recoveries"] if r["mail"]], "a reader paid")
    assert {r["actor"] for r in paid} == {"hosted_page"}
    bill = one.client.v1.invoices.retrieve(paid[0]["invoice"])
    assert bill.status == "paid"
