"""Whom a body may be from: found by name or by secret, for a price that does not grow with the accounts."""

import pytest

from producers.gateway.signature import LONGEST_BODY, read_header
from producers.gateway.signers import MOST_HASHED_BYTES, MOST_SECRETS, Signers, account_in, signers
from tests.support.secrets import a_secret
from tests.unit.producers.conftest import MemoryAccounts
from tests.unit.producers.stripe_objects import NOW, signed

MANY = {f"acct_{n}": (a_secret(f"{n}"),) for n in range(3000)}


def found(known, body, by, path="", at=0.0):
    signature = read_header(signed(body, secret=by), NOW)
    return signers(signature, body, Signers(MemoryAccounts(known)).candidates(path, body, at))


def test_a_named_account_is_tried_first_and_alone_when_it_signed():
    body = b'{"account": "acct_2999"}'
    candidates = Signers(MemoryAccounts(MANY)).candidates("", body, 0.0)
    assert candidates.first == [(a_secret("2999"), ("acct_2999",))]
    assert found(MANY, body, a_secret("2999")) == ["acct_2999"]


def test_another_accounts_secret_is_found_behind_a_name():
    assert found(MANY, b'{"account": "acct_2999"}', a_secret("7")) == ["acct_7"]


def test_all_that_share_the_secret_are_found():
    shared = {"acct_1": (a_secret("own"), a_secret("platform")), "acct_2": (a_secret("platform"),), "acct_3": (a_secret("3"),)}
    assert found(shared, b"{}", a_secret("platform")) == ["acct_1", "acct_2"]


@pytest.mark.parametrize("size", [2, 3000, 100_000, LONGEST_BODY])
@pytest.mark.parametrize("named", [b"", b'{"account": "acct_17"}', b'{"account": "acct_of_nobody"}'])
def test_what_is_hashed_for_a_forged_body_does_not_grow_with_the_accounts(size, named):
    body = named.ljust(size)
    few, many = ({account: MANY[account] for account in list(MANY)[:count]} for count in (1000, 3000))
    work = [Signers(MemoryAccounts(known)).candidates("", body, 0.0).work(len(body)) for known in (few, many)]
    assert work[0] == work[1] <= MOST_HASHED_BYTES
    assert work[1] <= MOST_SECRETS * len(body)
    assert found(MANY, body, a_secret("of a forger")) == []


def test_an_unknown_account_costs_what_a_known_one_does_and_is_believed_for_nothing():
    for account, expected in (("acct_1", ["acct_1"]), ("acct_of_nobody", [])):
        candidates = Signers(MemoryAccounts(MANY)).candidates(account, b"{}", 0.0)
        assert candidates.work(2) == 2
        assert found(MANY, b"{}", a_secret("1"), account) == expected


def test_a_rotated_secret_is_known_within_a_second():
    accounts = MemoryAccounts({"acct_1": (a_secret("old"),)})
    by_secret = Signers(accounts)
    signature = read_header(signed(b"{}", secret=a_secret("new")), NOW)
    assert signers(signature, b"{}", by_secret.candidates("", b"{}", 10.0)) == []
    accounts.known["acct_1"] = (a_secret("new"),)
    assert signers(signature, b"{}", by_secret.candidates("", b"{}", 11.0)) == ["acct_1"]


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (b'{"account": "acct_1", "data": {"account": "acct_2"}}', "acct_1"),
        (b'{"\\u0061ccount": "acct_1"}', "acct_1"),
        (b'{"data": {"account": "acct_2"}}', ""),
        (b'{"account": 7}', ""),
        (b'{"account": "acct_1"', ""),
        (b'["account"]', ""),
        (b'{"account": "acct_1", "x": ' + b"[" * 100_000, ""),
        (b'{"account": "\xff"}', ""),
    ],
)
def test_the_account_in_a_body_is_read_without_believing_it(body, account):
    assert account_in(body) == account
