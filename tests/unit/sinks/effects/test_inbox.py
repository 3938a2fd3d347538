"""What came from the log, sorted."""

from recovery.contracts.codec import decode_parked, encode
from recovery.contracts.effects import EffectWithdrawn
from sinks.effects.inbox import Delivered, sort


def delivered(value, offset=7):
    return Delivered(topic="effects.stripe", partition=1, offset=offset, key=b"acct_1/cus_1", value=value, headers={"h": "1"})


def test_effects_withdrawals_and_unreadable_messages_are_told_apart(charge, now):
    head = {name: getattr(charge, name) for name in ("account", "customer", "invoice", "occurred_at", "received_at", "not_after")}
    withdrawal = EffectWithdrawn(id="w", effect="e9", because="paid", **head)
    batch = sort([delivered(encode(charge)), delivered(encode(withdrawal)), delivered(b"{"), delivered(None, 8)], lambda: now)
    (arrival,) = batch.arrivals
    assert (arrival.id, arrival.kind, arrival.place, arrival.body) == (charge.id, "charge_requested", "effects.stripe-1-7", encode(charge))
    assert batch.withdrawals == [("e9", "paid")]
    first, second = [decode_parked(message.value) for message in batch.parked]
    assert (first.value, first.offset, first.key, first.headers, first.again) == (b"{", 7, b"acct_1/cus_1", {"h": "1"}, "effects.stripe")
    assert (second.value, second.why) == (b"", "The message has no body.")


def test_an_effect_of_another_version_is_parked(charge, now):
    batch = sort([delivered(encode(charge).replace(b'"version":1', b'"version":9'))], lambda: now)
    assert batch.arrivals == []
    assert "Version 9" in decode_parked(batch.parked[0].value).why
