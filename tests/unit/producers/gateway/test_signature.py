"""verify: what Stripe signed is accepted, all else rejected with its reason, and nothing raises (stripe.md 3.5)."""

import hmac

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.signature import LONGEST_BODY, Accepted, Rejected, verify
from tests.unit.producers.stripe_objects import NOW, SECRET, signed

BODY = b'{"id": "evt_1"}'


def test_what_stripes_own_package_signed_is_accepted():
    assert verify(signed(BODY), BODY, [SECRET], NOW) == Accepted(NOW)


def test_either_secret_of_a_rotation_is_accepted():
    for secret in ("whsec_old", "whsec_new"):
        assert isinstance(verify(signed(BODY, secret=secret), BODY, ["whsec_old", "whsec_new"], NOW), Accepted)


def test_one_matching_signature_of_several_is_enough():
    header = signed(BODY, secret="whsec_other") + b"," + signed(BODY).split(b",")[1]
    assert isinstance(verify(header, BODY, [SECRET], NOW), Accepted)


@pytest.mark.parametrize("secrets", [[], ["whsec_other"]])
def test_a_signature_of_no_known_secret_is_forged(secrets):
    assert verify(signed(BODY), BODY, secrets, NOW) == Rejected("forged")


def test_one_changed_byte_of_the_body_is_forged():
    assert verify(signed(BODY), BODY + b" ", [SECRET], NOW) == Rejected("forged")


def test_another_time_under_the_same_signature_is_forged():
    assert verify(signed(BODY).replace(str(NOW).encode(), str(NOW + 1).encode()), BODY, [SECRET], NOW) == Rejected("forged")


@pytest.mark.parametrize(
    ("late", "expected"), [(300, Accepted(NOW)), (301, Rejected("stale")), (-300, Accepted(NOW)), (-301, Rejected("future"))]
)
def test_300_seconds_are_allowed_in_both_directions(late, expected):
    assert verify(signed(BODY), BODY, [SECRET], NOW + late) == expected


def test_other_schemes_mean_nothing():
    good = signed(BODY).replace(b"v1=", b"v0=")
    assert verify(good, BODY, [SECRET], NOW) == Rejected("malformed")
    assert isinstance(verify(signed(BODY) + b",v0=decoy", BODY, [SECRET], NOW), Accepted)


def test_the_first_time_counts():
    assert isinstance(verify(signed(BODY) + b",t=1", BODY, [SECRET], NOW), Accepted)
    assert verify(b"t=1," + signed(BODY), BODY, [SECRET], NOW) == Rejected("stale")


@pytest.mark.parametrize("header", [None, b""])
def test_no_header_is_no_signature(header):
    assert verify(header, BODY, [SECRET], NOW) == Rejected("no_signature")


@pytest.mark.parametrize(
    "header",
    [b"v1=ab", b"t=12", b"t=,v1=ab", b"t=-5,v1=ab", b"t=1e3,v1=ab", b"t=9999999999999,v1=ab", b"\xff\xfe", b"=,=,", b"t=1" + b"," * 9000],
)
def test_a_header_that_is_none_is_malformed(header):
    assert verify(header, BODY, [SECRET], NOW) == Rejected("malformed")


def test_a_body_that_is_no_text_is_verified_all_the_same():
    body = b"\xff\x00\xfe"
    signature = hmac.new(SECRET.encode(), f"{NOW}.".encode() + body, "sha256").hexdigest()
    assert isinstance(verify(f"t={NOW},v1={signature}".encode(), body, [SECRET], NOW), Accepted)


@given(header=st.one_of(st.none(), st.binary(max_size=300), st.from_regex(rb"t=\d{0,14},v1=[0-9a-f]{0,70}")), body=st.binary(max_size=200))
def test_nothing_unsigned_is_accepted_and_nothing_raises(header, body):
    assert isinstance(verify(header, body, [SECRET, "whsec_ünïcode"], NOW), Rejected)


@given(
    body=st.text(max_size=200), at=st.integers(NOW - 300, NOW + 300), secret=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
)
def test_whatever_stripes_package_signs_is_accepted(body, at, secret):
    if any("\ud800" <= character <= "\udfff" for character in body):
        return
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at).encode()
    assert verify(header, body.encode(), [secret], NOW) == Accepted(at)


class Unhashed(bytes):
    """A body that cannot be put behind a time, so that it is seen when somebody hashes it."""

    def __radd__(self, other):
        raise AssertionError("it was hashed")


@pytest.mark.parametrize(("late", "why"), [(301, "stale"), (-301, "future")])
def test_nothing_is_hashed_for_a_time_that_is_refused(late, why):
    assert verify(signed(BODY), Unhashed(BODY), [SECRET], NOW + late) == Rejected(why)


def test_nothing_is_hashed_of_a_body_larger_than_stripe_sends():
    assert verify(signed(BODY), Unhashed(LONGEST_BODY + 1), [SECRET], NOW) == Rejected("too_large")


def test_the_largest_body_is_verified_like_a_small_one():
    body = b"x" * LONGEST_BODY
    assert verify(signed(body), body, [SECRET], NOW) == Accepted(NOW)
    assert verify(signed(body), body, ["whsec_other"], NOW) == Rejected("forged")
