"""The promises of the digests of alerts, on every database that the ledger may live in."""

from sinks.effects.alerts.digests import Digests
from sinks.effects.engine.ledger import Ledger
from tests.support.alerts import event

CLOSES = 1_800_000_000.0


def joined(digests: Digests, *numbers: int) -> set[str]:
    return {digests.join(f"acct_1.in_{n}.alert.1", "acct_1", "email", event(invoice=f"in_{n}"), CLOSES).id for n in numbers}


def test_alerts_join_the_one_digest_that_is_open(ledger: Ledger) -> None:
    digests = Digests(ledger)
    assert not digests.is_open("acct_1", "email")
    assert joined(digests, 1, 2) == {"acct_1.in_1.alert.1.digest.1"}
    assert digests.is_open("acct_1", "email")
    assert not digests.is_open("acct_1", "slack")
    assert digests.of("acct_1.in_9.alert.1") is None


def test_one_alert_leads_with_all_events_in_order_and_later_ones_open_another(ledger: Ledger) -> None:
    digests = Digests(ledger)
    (digest,) = joined(digests, 3, 1, 2)
    events = digests.lead(digest, "acct_1.in_1.alert.1")
    assert events is not None
    assert [one.invoice for one in events] == ["in_3", "in_1", "in_2"]
    assert digests.lead(digest, "acct_1.in_2.alert.1") is None
    assert digests.lead(digest, "acct_1.in_1.alert.1") == events
    assert joined(digests, 4) == {"acct_1.in_4.alert.1.digest.1"}


def test_a_released_digest_may_be_led_by_any_and_an_ended_one_by_none(ledger: Ledger) -> None:
    digests = Digests(ledger)
    (digest,) = joined(digests, 1, 2)
    digests.lead(digest, "acct_1.in_1.alert.1")
    digests.release(digest)
    assert digests.lead(digest, "acct_1.in_2.alert.1") is not None
    digests.end(digest, "sent", "", "<m@x>")
    assert digests.lead(digest, "acct_1.in_2.alert.1") is None
    known = digests.of("acct_1.in_1.alert.1")
    assert known is not None
    assert (known.state, known.result, known.message) == ("ended", "sent", "<m@x>")


def test_what_closed_long_ago_is_forgotten(ledger: Ledger) -> None:
    digests = Digests(ledger)
    joined(digests, 1)
    assert (digests.forget(CLOSES), digests.forget(CLOSES + 1)) == (0, 1)
    assert digests.of("acct_1.in_1.alert.1") is None
