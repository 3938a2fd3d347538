"""The pure half of webhooks: where an endpoint may be, when a delivery is tried again, and what is sent."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from recovery.contracts.events import Event
from sinks.effects.webhooks import retry_schedule
from sinks.effects.webhooks.payload import encoded, headers, payload_of, webhook_id
from sinks.effects.webhooks.ssrf_guard import AddressForbidden, AddressPolicy, refusal, resolve_allowed

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRETS = ("whsec_" + "b25lLW9uZS1vbmUtb25lLW9uZQ==", "whsec_" + "dHdvLXR3by10d28tdHdvLXR3bw==")

NOT_PUBLIC = {
    "loopback": ("127.0.0.1", "127.9.9.9", "::1"),
    "unspecified": ("0.0.0.0", "::"),
    "private": ("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00:ec2::254", "fc00::1"),
    "IPv4 translated (RFC 2765), and space that is not given out": ("::ffff:0:7f00:1", "::ffff:0:a00:1", "1000::1", "4000::1", "e000::1"),
    "with a zone": ("2606:4700::1111%eth0",),
    "link-local and metadata": ("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    "carrier-grade NAT": ("100.64.0.1", "100.127.255.254"),
    "multicast and broadcast": ("224.0.0.1", "239.1.1.1", "255.255.255.255", "ff02::1"),
    "reserved": ("240.0.0.1", "0.1.2.3", "198.18.0.1", "192.0.0.8", "192.0.2.1", "198.51.100.7", "203.0.113.7", "2001:db8::1", "100::1"),
    "IPv4 within IPv6": ("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    "tunnels": ("2002:7f00:1::", "2001::1", "192.88.99.1"),
}


@pytest.mark.parametrize("address", [one for group in NOT_PUBLIC.values() for one in group])
def test_no_address_that_is_not_public_is_asked(address: str) -> None:
    with pytest.raises(AddressForbidden):
        resolve_allowed("https://hooks.example/x", AddressPolicy(), lambda host, port: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_public_addresses_are_asked(address: str) -> None:
    assert refusal(address) == ""


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(AddressForbidden, match=r"10\.0\.0\.1"):
        resolve_allowed("https://hooks.example/x", AddressPolicy(), lambda host, port: ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://hooks.example/", "https"),
        ("ftp://hooks.example/", "https"),
        ("https:///nowhere", "host"),
        ("https://user:word@hooks.example/", "password"),
        ("https://hooks.example:22/", "22"),
        ("https://hooks.example:80/", "80"),
        ("https://hooks.example:99999/", "read"),
        ("https://[::1/", "read"),
        (f"https://{64 * 'a'}.example/", "read"),
        ("https://hooks..example/", "read"),
    ],
)
def test_a_url_that_must_not_be_asked_is_refused_in_words(url: str, word: str) -> None:
    with pytest.raises(AddressForbidden, match=word):
        resolve_allowed(url, AddressPolicy(), lambda host, port: ["8.8.8.8"])


def test_connections_go_to_the_checked_address_and_name_the_host() -> None:
    target = resolve_allowed("https://hooks.example:8443/a?b=c", AddressPolicy(), lambda host, port: ["2606:4700::1111"])
    assert target.at(target.addresses[0]) == "https://[2606:4700::1111]:8443/a?b=c"
    assert (target.netloc, target.host) == ("hooks.example:8443", "hooks.example")


def test_a_setting_lets_development_use_this_machine() -> None:
    assert resolve_allowed("http://localhost:8000/x", AddressPolicy(private=True), lambda host, port: ["127.0.0.1"]).port == 8000


def test_the_pauses_grow_over_three_days_and_are_the_same_after_a_restart() -> None:
    pauses = [retry_schedule.pause_after("msg_1", number) for number in range(1, 12)]
    assert pauses == [retry_schedule.pause_after("msg_1", number) for number in range(1, 12)]
    assert [
        round(pause / base, 1) >= 1 for pause, base in zip(pauses, (*retry_schedule.PAUSES, *[retry_schedule.LONGEST] * 6), strict=True)
    ]
    assert all(
        base <= pause <= base * 1.2 for pause, base in zip(pauses, (*retry_schedule.PAUSES, *[retry_schedule.LONGEST] * 6), strict=True)
    )
    assert sum(pauses) > timedelta(days=2.5).total_seconds()
    assert retry_schedule.pause_after("msg_2", 3) != retry_schedule.pause_after("msg_1", 3)


def test_retry_after_is_obeyed_up_to_a_bound_and_never_makes_us_hurry() -> None:
    assert retry_schedule.pause_after("m", 1, 60) == 60
    assert retry_schedule.pause_after("m", 1, 10**9) == retry_schedule.PATIENCE
    assert retry_schedule.pause_after("m", 4, 1) >= 7200
    assert retry_schedule.retry_after("120", NOW) == 120
    assert retry_schedule.retry_after("Sun, 01 Nov 2026 12:01:00 GMT", NOW) == 60
    assert retry_schedule.retry_after("Sun, 01 Nov 2026 11:00:00 GMT", NOW) == 0
    assert [retry_schedule.retry_after(odd, NOW) for odd in ("", "soon", "-5", "\u0662")] == [0, 0, 0, 0]


def test_the_last_try_is_made_just_before_the_end() -> None:
    assert retry_schedule.in_time(36_000, NOW, NOW + timedelta(hours=5)) == 5 * 3600 - 600
    assert retry_schedule.in_time(5, NOW, NOW + timedelta(hours=5)) == 5
    assert retry_schedule.in_time(5, NOW, NOW + timedelta(minutes=10)) is None


def test_an_endpoint_is_dead_after_three_days_of_failures_only() -> None:
    assert retry_schedule.is_dead(6, NOW - timedelta(hours=71), NOW)
    assert not retry_schedule.is_dead(6, NOW - timedelta(hours=70), NOW)
    assert not retry_schedule.is_dead(5, NOW - timedelta(days=9), NOW)


def test_every_secret_of_a_rotation_signs_and_each_alone_verifies() -> None:
    """B92."""
    at = datetime.now(UTC)
    sent = headers("msg_1", b'{"a":1}', SECRETS, at)
    assert len(sent["webhook-signature"].split(" ")) == 2
    for secret in SECRETS:
        assert Webhook(secret).verify(b'{"a":1}', sent) == {"a": 1}


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "whsec_a"])
def test_a_broken_secret_is_told_without_telling_it(secret: str) -> None:
    with pytest.raises(ValueError, match="rotate") as told_so:
        headers("msg_1", b"{}", [secret], NOW)
    assert str(told_so.value).count("whsec_") == 1


def test_the_same_event_is_always_the_same_bytes_under_the_same_id() -> None:
    event = Event(id="0-7-0", event_type="payment_recovered", account="acct_1", occurred_at=NOW, received_at=NOW, recovered_by="our_retry")
    assert encoded(payload_of(event, True)) == encoded(payload_of(event, True))
    assert b'"cause":"our_retry"' in encoded(payload_of(event, False))
    assert webhook_id("acct_1.in_1.webhook-crm.3") == webhook_id("acct_1.in_1.webhook-crm.3")
    assert "." not in webhook_id("acct_1.in_1.webhook-crm.3")
