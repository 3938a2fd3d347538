"""One merchant's name server delays nobody else's deliveries and is never counted against another endpoint."""

import threading

import pytest

from sinks.effects.webhooks.resolvers import IN_ALL, PER_ACCOUNT, NoResolver, NotResolved, Resolvers
from sinks.effects.webhooks.sender import Sender
from sinks.effects.webhooks.ssrf_guard import AddressPolicy
from tests.support.waiting import until

PATIENCE = 60.0
"""Far more than anything here takes: no test waits for it."""


class NameServer:
    """Answers for `good.example`; leaves everything else unanswered until it is released."""

    def __init__(self):
        self.release, self.asked, self._lock = threading.Event(), [], threading.Lock()

    def __call__(self, host, port):
        with self._lock:
            self.asked.append(host)
        if not host.startswith("good"):
            assert self.release.wait(PATIENCE)
        return ["192.0.2.7"]


@pytest.fixture
def server():
    server = NameServer()
    yield server
    server.release.set()


@pytest.fixture
def resolvers():
    return Resolvers()


def hang(resolvers, server, account, hosts):
    """Look names up in threads that will not come back before the release."""
    threads = [threading.Thread(target=resolvers.resolve, args=(account, host, 443, server, PATIENCE), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    until(lambda: set(server.asked) >= set(hosts), 10, "the look-ups to begin")
    return threads


def test_names_that_hang_leave_other_accounts_their_turn(resolvers, server):
    hang(resolvers, server, "acct_evil", [f"slow{n}.example" for n in range(PER_ACCOUNT)])
    assert resolvers.resolve("acct_good", "good.example", 443, server, PATIENCE) == ["192.0.2.7"]


def test_those_who_ask_for_the_same_name_share_one_look_up(resolvers, server):
    threads = hang(resolvers, server, "acct_1", ["slow.example"] * 8)
    assert server.asked == ["slow.example"]
    server.release.set()
    for thread in threads:
        thread.join(10)
    assert server.asked == ["slow.example"]


def test_an_account_with_too_many_names_under_way_is_told_that_nothing_is_known(resolvers, server):
    hang(resolvers, server, "acct_1", [f"slow{n}.example" for n in range(PER_ACCOUNT)])
    with pytest.raises(NoResolver):
        resolvers.resolve("acct_1", "good.example", 443, server, 0.0)
    assert "good.example" not in server.asked
    server.release.set()
    assert resolvers.resolve("acct_1", "good.example", 443, server, PATIENCE) == ["192.0.2.7"]


def test_look_ups_that_were_given_up_still_count_until_they_end(resolvers, server):
    for number in range(PER_ACCOUNT):
        with pytest.raises(NotResolved):
            resolvers.resolve("acct_1", f"slow{number}.example", 443, server, 0.0)
    with pytest.raises(NoResolver):
        resolvers.resolve("acct_1", "slow9.example", 443, server, 0.0)
    assert threading.active_count() < IN_ALL


def test_an_error_of_the_name_server_reaches_everybody_who_asked(resolvers):
    def refuse(host, port):
        raise TimeoutError("the name server said so")

    with pytest.raises(TimeoutError, match="said so"):
        resolvers.resolve("acct_1", "bad.example", 443, refuse, PATIENCE)
    with pytest.raises(TimeoutError, match="said so"):
        resolvers.resolve("acct_1", "bad.example", 443, refuse, PATIENCE)


def test_a_try_that_could_not_be_made_says_that_it_was_for_a_reason_of_ours(server, clocks):
    sender = Sender(AddressPolicy(private=True), clocks.wall, resolve=server, total=0.05)
    for number in range(PER_ACCOUNT):
        found = sender.send(f"https://slow{number}.example/", b"{}", {}, "acct_1")
        assert not found.ours
        assert "not resolved" in found.why
    assert sender.send("https://slow9.example/", b"{}", {}, "acct_1").ours
