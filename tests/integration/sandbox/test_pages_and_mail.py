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


def test_mail_faults_happen_as_ordered(month) -> None:
    bill = month.unpaid()
    to, link = _email(month, bill), _page(month, bill)
    month.post("/_faults", smtp="refuse")
    with pytest.raises(smtplib.SMTPSenderRefused):
        _send(month, _mail(to, link, "<refused@x>"))
    month.post("/_faults", smtp="drop_after_data")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        _send(month, _mail(to, link, "<dropped@x>"))
    month.post("/_faults", smtp="slow")
    begun = time.monotonic()
    _send(month, _mail(to, link, "<slow@x>"))
    assert time.monotonic() - begun >= 2.5
    ids = {mail["message_id"] for mail in month.get("/_truth")["mails"]}
    assert {"<dropped@x>", "<slow@x>"} <= ids
    assert "<refused@x>" not in ids


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
