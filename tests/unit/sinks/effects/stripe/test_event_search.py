"""The echo of a charge in doubt is found however many events the merchant has, and "not searched to the end" is no answer."""

from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sinks.effects.stripe.client import EVENT_PAGES, EffectsStripeClient, StripeUnreachable
from sinks.effects.stripe.event_search import AFTER, search_from

SINCE = datetime(2026, 5, 4, 8, tzinfo=UTC)
KEY = "dunlin-acct_1.in_1.charge.2"


def event(name, second, key=""):
    request = {"idempotency_key": key} if key else None
    invoice = "in_1" if key else f"in_of_{name}"
    return {
        "id": name,
        "type": "invoice.paid",
        "created": int(SINCE.timestamp()) + second,
        "data": {"object": {"id": invoice}},
        "request": request,
    }


class Events:
    """Stripe's list of events: newest first, by pages of a hundred."""

    def __init__(self, events):
        self.events, self.calls = events, 0

    def list(self, wanted):
        self.calls += 1
        window = wanted["created"]
        found = [one for one in self.events if window["gte"] <= one["created"] <= window["lte"]]
        found.sort(key=lambda one: (one["created"], one["id"]), reverse=True)
        after = wanted.get("starting_after")
        start = next(place for place, one in enumerate(found, 1) if one["id"] == after) if after else 0
        page = found[start : start + wanted["limit"]]
        return SimpleNamespace(last_response=SimpleNamespace(data={"data": page, "has_more": start + len(page) < len(found)}))


def door_to(events):
    class Door(EffectsStripeClient):
        @contextmanager
        def _errors_translated(self, account):
            yield SimpleNamespace(v1=SimpleNamespace(events=events))

    return Door(SimpleNamespace(api_key=lambda account: "sk_test_x"))


def looks(door, most=200):
    """The answer, and how many tries it took."""
    for tries in range(1, most):
        try:
            return door.event_of_key("acct_1", "in_1", KEY, SINCE), tries
        except StripeUnreachable:
            continue
    pytest.fail("the search does not end")


@pytest.mark.parametrize("second", [-30, 5, 290, 4000, 80_000])
def test_the_echo_is_found_wherever_it_stands_among_ten_thousand_events(second):
    others = [event(f"evt_{n}", n * 9 - 40) for n in range(10_000)]
    found, _ = looks(door_to(Events([*others, event("ours", second, KEY)])))
    assert found["id"] == "ours"


def test_the_first_page_is_enough_for_what_was_written_at_once():
    events = Events([event(f"evt_{n}", 60 + n * 30) for n in range(20_000)] + [event("ours", 3, KEY)])
    assert looks(door_to(events))[0]["id"] == "ours"
    assert events.calls == 1


def test_no_try_reads_more_than_its_pages_and_the_search_ends():
    events = Events([event(f"evt_{n:05}", n * 9) for n in range(10_000)])
    door = door_to(events)
    with pytest.raises(StripeUnreachable, match="goes on"):
        door.event_of_key("acct_1", "in_1", KEY, SINCE)
    assert events.calls == EVENT_PAGES
    found, tries = looks(door)
    assert found is None
    assert tries <= 5


def test_an_echo_that_is_written_while_the_search_goes_on_is_found_before_it_ends():
    events = Events([event(f"evt_{n:05}", n * 9) for n in range(10_000)])
    door = door_to(events)
    with pytest.raises(StripeUnreachable):
        door.event_of_key("acct_1", "in_1", KEY, SINCE)
    events.events.append(event("ours", 2, KEY))
    assert looks(door)[0]["id"] == "ours"


def test_a_key_of_another_call_is_no_echo():
    found, _ = looks(door_to(Events([event("another", 3, f"{KEY}0")])))
    assert found is None


def test_the_windows_leave_no_second_out():
    search, seconds = search_from(SINCE.timestamp()), 0
    while not search.over:
        seconds += search.high - search.low + 1
        search = search.beyond("", has_more=False)
    assert seconds == AFTER + 60 + 1
