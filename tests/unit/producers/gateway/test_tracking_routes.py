"""Links in messages at the gateway: what a payer's click, opening and wish tell, and what a program's do not (B81, B53)."""

import pytest

from producers.gateway.routes.tracking_routes import HOUR, TrackingRoutes
from recovery.contracts.facts import ContactSuppressed, MessageClicked, MessageOpened
from recovery.signed_links import LinkSigner, Sending
from tests.unit.producers.gateway.gateway_client import LINKS, SENT, DoorClient, Times

TARGET = "https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap"


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def browser(delivery, times) -> DoorClient:
    return DoorClient(TrackingRoutes(LINKS, times, times, times.seconds).routes(), delivery)


def test_an_opening_is_answered_with_an_image_that_nobody_keeps_and_told_as_a_fact(browser, delivery):
    answered = browser.ask(LINKS.open(SENT))
    assert (answered.status, answered.headers[b"content-type"]) == (200, b"image/gif")
    assert answered.body.startswith(b"GIF89a")
    assert b"no-store" in answered.headers[b"cache-control"]
    [fact] = delivery.facts
    assert isinstance(fact, MessageOpened)
    assert (fact.account, fact.customer, fact.invoice, fact.effect, fact.machine) == ("acct_1", "cus_1", "in_1", SENT.effect, "")
    assert delivery.on("facts")[0].key == b"acct_1/cus_1"


def test_a_click_leads_to_the_signed_address_only(browser, delivery):
    answered = browser.ask(LINKS.click(SENT, TARGET))
    assert (answered.status, answered.headers[b"location"], answered.body) == (302, TARGET.encode(), b"")
    assert [(type(fact), fact.machine) for fact in delivery.facts] == [(MessageClicked, "")]
    evil = browser.ask(LINKS.click(SENT, TARGET) + "?url=https://evil.example")
    assert evil.headers[b"location"] == TARGET.encode()


@pytest.mark.parametrize("path", ["/o/", "/c/", "/u/", "/c/https://evil.example", "/o/abc", "/u/%00"])
def test_a_link_that_is_none_of_ours_says_nothing(browser, delivery, path):
    forged = LinkSigner(["x" * 40]).click(SENT, TARGET)
    for address in (path, forged):
        answered = browser.ask(address)
        assert (answered.status, answered.body) == (404, b"Not Found.\n")
        assert b"location" not in answered.headers
    assert not delivery.messages
    assert b'door="click",reason="no_link",status="404"' in browser.metrics.exposition()


def test_the_same_opening_is_told_once_an_hour(browser, delivery, times):
    for _ in range(5):
        assert browser.ask(LINKS.open(SENT)).status == 200
    assert len(delivery.facts) == 1
    times.later = HOUR
    browser.ask(LINKS.open(SENT))
    assert len({fact.id for fact in delivery.facts}) == 2


def test_two_gateways_tell_the_same_opening_under_one_id(delivery, times):
    for _ in range(2):
        DoorClient(TrackingRoutes(LINKS, times, times, times.seconds).routes(), delivery).ask(LINKS.open(SENT))
    first, second = delivery.facts
    assert first.id == second.id


@pytest.mark.parametrize(
    ("method", "headers", "why"),
    [
        ("HEAD", {}, "head"),
        ("GET", {"user_agent": ""}, "no_agent"),
        ("GET", {"user_agent": "BarracudaCentral/1.0"}, "agent"),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, "agent"),
        ("GET", {"sec_purpose": "prefetch;prerender"}, "prefetch"),
    ],
)
def test_a_program_is_told_apart_and_sent_on_all_the_same(browser, delivery, method, headers, why):
    """B81"""
    answered = browser.ask(LINKS.click(SENT, TARGET), method, **headers)
    assert answered.status == 302
    assert [fact.machine for fact in delivery.facts] == [why]


def test_a_click_within_seconds_of_sending_is_a_scanner(browser, delivery, times):
    """B81"""
    just_now = Sending("acct_1", "cus_1", "in_1", SENT.effect, int(times().timestamp()) - 2)
    browser.ask(LINKS.click(just_now, TARGET))
    assert [fact.machine for fact in delivery.facts] == ["too_soon"]


def test_several_links_of_one_mail_followed_at_once_are_a_scanner(browser, delivery, times):
    """B81"""
    browser.ask(LINKS.click(SENT, TARGET))
    browser.ask(LINKS.click(SENT, TARGET + "&more=1"))
    times.later = 60
    browser.ask(LINKS.click(SENT, TARGET + "&more=2"))
    assert [fact.machine for fact in delivery.facts] == ["", "many_links"]


def test_what_a_person_does_after_a_scanner_is_told_too(browser, delivery):
    browser.ask(LINKS.click(SENT, TARGET), "HEAD")
    browser.ask(LINKS.click(SENT, TARGET))
    assert [fact.machine for fact in delivery.facts] == ["head", ""]


@pytest.mark.parametrize("refuses", ["at once", "later", "never"])
def test_without_a_broker_image_and_redirect_answer_all_the_same(browser, delivery, refuses):
    delivery.refuses = refuses
    assert browser.ask(LINKS.open(SENT)).status == 200
    assert browser.ask(LINKS.click(SENT, TARGET)).status == 302


def test_a_wish_for_silence_is_not_taken_when_the_broker_has_it_not(browser, delivery):
    delivery.refuses = "later"
    answered = browser.ask(LINKS.unsubscribe(SENT), "POST", b"List-Unsubscribe=One-Click")
    assert (answered.status, answered.headers[b"retry-after"]) == (503, b"5")
    delivery.refuses = ""
    assert browser.ask(LINKS.unsubscribe(SENT), "POST").status == 200
    assert len(delivery.facts) == 1


def test_one_click_unsubscribes_and_looking_at_the_page_does_not(browser, delivery):
    """B53, RFC 8058"""
    page = browser.ask(LINKS.unsubscribe(SENT), accept_language="de-AT,de;q=0.9")
    assert page.status == 200
    assert '<html lang="de">' in page.body.decode()
    assert b'<form method="post">' in page.body
    assert not delivery.messages
    done = browser.ask(LINKS.unsubscribe(SENT), "POST", b"List-Unsubscribe=One-Click", user_agent="")
    assert b"<form" not in done.body
    [fact] = delivery.facts
    assert isinstance(fact, ContactSuppressed)
    assert (fact.customer, fact.medium, fact.why, fact.cause) == ("cus_1", "email", "unsubscribed", SENT.effect)


def test_a_wish_that_the_broker_has_is_told_once_an_hour(browser, delivery, times):
    """Whoever asks again and again is thanked, and the stream and the warehouse do not grow by it."""
    for later, told in ((0, 1), (10, 1), (4000, 2)):
        times.later = later
        assert b"<form" not in browser.ask(LINKS.unsubscribe(SENT), "POST").body
        assert len(delivery.facts) == told


def test_a_flood_of_openings_does_not_reach_the_broker(browser, delivery):
    for number in range(600):
        sending = Sending("acct_1", "cus_1", "in_1", f"acct_1.in_1.message.{number}", SENT.at)
        assert browser.ask(LINKS.open(sending)).status == 200
    assert len(delivery.facts) == 500


def test_other_methods_are_refused(browser, delivery):
    answered = browser.ask(LINKS.click(SENT, TARGET), "POST")
    assert (answered.status, answered.headers[b"allow"]) == (405, b"GET, HEAD")
    assert not delivery.messages
