"""Links: what we signed is read as it was, whatever else comes is None and never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.signed_links import LONGEST_TOKEN, Link, LinkSigner, Sending

KEY, OLDER, FOREIGN = "a" * 40, "b" * 40, "c" * 40
TARGET = "https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap"
SENT = Sending("acct_1", "cus_1", "in_1", "acct_1.in_1.message.3", 1790000000)
NOTICE = Sending("acct_1", "cus_1", "", "acct_1.~sub_1.notice.1", 1790000000, contact="second")
words = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=30)


def links(*keys: str) -> LinkSigner:
    return LinkSigner(keys or (KEY,), "https://pay.heron.example/")


def token(address: str) -> str:
    return address.rpartition("/")[2]


@given(words, words, words, st.sampled_from(["message", "sms", "notice"]), st.integers(1, 10**6), st.integers(0, 2**40), words)
def test_what_was_signed_is_read_as_it_was(account, customer, invoice, kind, number, at, contact):
    sending = Sending(account, customer, invoice, f"{account}.{invoice}.{kind}.{number}", at, contact)
    assert links().read("open", token(links().open(sending))) == Link(sending)
    assert links().read("click", token(links().click(sending, TARGET))) == Link(sending, TARGET)
    assert links().read("unsubscribe", token(links().unsubscribe(sending))) == Link(sending)
    assert links().read("status", links().sms_status(sending).partition("?m=")[2]) == Link(sending)


@pytest.mark.parametrize("sending", [SENT, NOTICE, Sending("acct_1", "cus_1", "in_2", "acct_1.in_1.message.3", 0)])
def test_the_invoice_is_kept_whether_or_not_the_effect_names_it(sending):
    assert links().read("open", token(links().open(sending))) == Link(sending)


@given(st.integers(0, 1000), st.characters(codec="utf-8"))
def test_a_token_with_one_other_character_is_none_of_ours(place, letter):
    good = token(links().click(SENT, TARGET))
    changed = good[: place % len(good)] + letter + good[place % len(good) + 1 :]
    assert (links().read("click", changed) is None) == (changed != good)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_comes_is_refused_without_an_exception(text):
    assert links().read("open", text) is None


def test_one_kind_of_link_is_not_another():
    assert links().read("unsubscribe", token(links().open(SENT))) is None
    assert links().read("open", token(links().click(SENT, TARGET))) is None


def test_a_key_that_signs_no_more_is_still_believed_and_a_foreign_one_never():
    old = token(links(OLDER).open(SENT))
    assert links(KEY, OLDER).read("open", old) == Link(SENT)
    assert links(KEY, OLDER).read("open", token(links(FOREIGN).open(SENT))) is None
    assert token(links(KEY, OLDER).open(SENT)) == token(links(KEY).open(SENT))


def test_the_merchants_own_address_leads_to_the_same_message():
    own = links().at("https://bills.crane.example")
    assert own.open(SENT) == links().open(SENT).replace("https://pay.heron.example", "https://bills.crane.example")
    assert links().at("").base == "https://pay.heron.example"


def test_padding_and_other_spellings_of_the_same_bytes_are_refused():
    good = token(links().open(SENT))
    for other in (good + "=", good + "==", good[:5] + "!" + good[5:], " " + good, good + "\n"):
        assert links().read("open", other) is None


def test_a_link_carries_no_address_and_stays_short():
    assert len(links().open(SENT)) < 130
    assert links().open(SENT).startswith("https://pay.heron.example/o/")


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "//evil.example", "/relative", "https://a.example/\r\nSet-Cookie: x", "", "ftp://a.example"]
)
def test_a_click_leads_to_a_web_address_and_nothing_else(target):
    with pytest.raises(ValueError, match="http"):
        links().click(SENT, target)


def test_a_target_too_long_for_a_link_is_linked_directly():
    far = "https://a.example/" + "x" * LONGEST_TOKEN
    assert links().click(SENT, far) == far


@pytest.mark.parametrize("keys", [(), ("short",), (KEY, "short")])
def test_a_key_that_is_no_secret_is_refused(keys):
    with pytest.raises(ValueError, match="at least 32 characters"):
        LinkSigner(keys)
