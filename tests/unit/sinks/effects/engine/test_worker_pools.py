"""Who waits for whom."""

import msgspec
import pytest

from sinks.effects.engine.worker_pools import SIDE_BY_SIDE, WORK, kind_of_work, line_of, work


def test_each_medium_has_a_lane_of_its_own(mail, charge):
    kinds = [kind_of_work(one) for one in (charge, mail, msgspec.structs.replace(mail, medium="sms"))]
    assert kinds == ["charge_requested", "message_requested", "message_requested.sms"]
    assert [work(kind).lane for kind in kinds] == ["stripe", "mail", "sms"]


@pytest.mark.parametrize("kind", [kind for kind in WORK if not WORK[kind].to_merchant])
def test_everything_done_to_one_customer_stands_in_one_line(kind):
    assert line_of("acct.in.charge.1", "acct", "cus", kind) == ("acct", "cus")


def test_what_tells_the_merchant_stands_in_no_customers_line_and_in_a_bounded_number_of_its_own():
    lines = {line_of(f"acct.in.webhook-shop.{n}", "acct", f"cus_{n}", "webhook_requested") for n in range(200)}
    assert len(lines) == SIDE_BY_SIDE
    assert all(account == "acct" and line.startswith("~webhook-shop/") for account, line in lines)
    other = line_of("acct.in.webhook-books.1", "acct", "cus_1", "webhook_requested")
    assert other not in lines


def test_a_switch_stops_what_reaches_payers_and_nothing_else():
    stopped = {kind for kind, row in WORK.items() if row.stopped_by_switch}
    assert stopped == {"charge_requested", "subscription_end_requested", "message_requested", "message_requested.sms"}
