"""Looking through all accounts for expiring cards: each gets its look, and what is over is forgotten (F68)."""

import pytest

from control.tenants import UnknownAccount
from producers.scans.card_expiry_scan import CardExpiryScan, NotRead
from tests.unit.producers.test_expiring_cards import TODAY, a_card, a_subscription


class Sent:
    def __init__(self) -> None:
        self.count = 0

    def send(self, _topic, _key, _value) -> None:
        self.count += 1

    def flush(self) -> None:
        pass


class Cards(CardExpiryScan):
    """Stripe's lists in memory, by API key; None where Stripe refuses."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(sent, lambda: TODAY, lambda: TODAY)
        self.lists = {}

    def _subscriptions(self, api_key):
        if self.lists[api_key] is None:
            raise NotRead("The key is refused.")
        yield from self.lists[api_key]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def cards(sent) -> Cards:
    return Cards(sent)


def key_of(account: str) -> str:
    if account == "acct_gone":
        raise UnknownAccount("acct_gone is not in the tenants file.")
    return f"key of {account}"


def test_an_account_that_cannot_be_read_keeps_no_other_waiting(cards, sent):
    cards.lists = {"key of acct_1": None, "key of acct_2": [a_subscription(a_card(11))]}
    said = []
    with pytest.raises(NotRead, match=r"acct_1, acct_gone\."):
        cards.scan_all(["acct_1", "acct_gone", "acct_2"], key_of, said.append)
    assert said == ["acct_2: 1 subscriptions, 1 cards expire before the next charge"]
    assert sent.count == 1


def test_a_card_is_told_once_and_forgotten_when_it_is_over(cards, sent):
    twice = [a_subscription(a_card(11)), a_subscription(a_card(11))]
    for found, told in ((twice, 1), (twice, 1), ([], 1), (twice, 2)):
        cards.lists = {"key": found}
        cards.scan("acct_1", "key")
        assert sent.count == told
