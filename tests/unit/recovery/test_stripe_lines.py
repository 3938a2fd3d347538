"""When a subscription renews next, read from its invoice's lines."""

from typing import Any

import pytest

from recovery.stripe.fields import UnknownShape, moment
from recovery.stripe.lines import renews_at

CREATED = 1_790_000_000
MONTH = 30 * 86_400


def invoice(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"created": CREATED, "lines": {"object": "list", "data": list(lines)}}


OLD = {"subscription": "sub_1", "period": {"start": CREATED, "end": CREATED + MONTH}}
BASIL = {"parent": {"subscription_item_details": {"subscription": "sub_1"}}, "period": {"start": CREATED, "end": CREATED + MONTH}}
BEHIND = {"subscription": "sub_1", "period": {"start": CREATED - MONTH, "end": CREATED}}
ONE_OFF = {"period": {"start": CREATED, "end": CREATED + 2 * MONTH}}


@pytest.mark.parametrize("line", [OLD, BASIL])
def test_the_period_paid_in_advance_ends_with_the_next_renewal(line: dict[str, Any]) -> None:
    """B46, in the shapes before and since basil."""
    assert renews_at(invoice(BEHIND, line, ONE_OFF)) == moment(CREATED + MONTH)


@pytest.mark.parametrize("data", [invoice(), invoice(BEHIND), invoice(ONE_OFF), {"created": CREATED}, {}])
def test_without_such_a_line_the_renewal_is_unknown(data: dict[str, Any]) -> None:
    assert renews_at(data) is None


def test_an_unknown_shape_is_named() -> None:
    with pytest.raises(UnknownShape, match=r"lines\.data"):
        renews_at(invoice(OLD | {"period": {"end": "soon"}}))
