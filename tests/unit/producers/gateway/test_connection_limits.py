"""The gateway's server before anybody knows who sends: heads, bodies and connections end at their bounds, in bytes and in time."""

import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from producers.gateway.http.connection_limits import SWEEP_SECONDS, Limits
from producers.gateway.http.exchange import ACCEPTED
from producers.gateway.http.protocol import HttpConnection, bounded
from producers.gateway.signature import LONGEST_BODY

LIMITS = Limits(proxies=())
REPOSITORY = Path(__file__).resolve().parents[4]
HEAD = b"POST /hook HTTP/1.1\r\nhost: x\r\n"


class Loop:
    """Time that passes when it is told to; what is due runs then."""

    def __init__(self) -> None:
        self.now, self._due = 1000.0, []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds, action, *arguments):
        self._due.append((self.now + seconds, action, arguments))

    def passes(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [each for each in self._due if each[0] <= until]:
            first = min(due, key=lambda each: each[0])
            self._due.remove(first)
            self.now = max(self.now, first[0])
            first[1](*first[2])
        self.now = until


class Wire:
    """A transport that keeps what was written."""

    def __init__(self, host: str) -> None:
        self.host, self.written, self.reading, self.open, self.half = host, b"", True, True, False

    def get_extra_info(self, name):
        return (self.host, 4711) if name == "peername" else None

    def write(self, data):
        self.written += data

    def write_eof(self):
        self.half = True

    def can_write_eof(self):
        return True

    def is_closing(self):
        return not self.open

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def close(self):
        if self.open:
            self.open = False
            self.connection.connection_lost(None)

    abort = close


class Application:
    """Takes posts to /hook, and answers at once or when it is told to."""

    def __init__(self) -> None:
        self.bodies, self.waiting, self.at_once, self.refusals = [], [], True, []

    async def __call__(self, scope, receive, send):
        raise AssertionError("it is not called here")

    def taken(self, method, url):
        return "" if (method, url) == (b"POST", b"/hook") else None

    def post(self, _rest, exchange, body):
        self.bodies.append(body)
        if self.at_once:
            exchange.answer(200, ACCEPTED, b"")
        else:
            self.waiting.append(exchange)

    def refused(self, status, reason):
        self.refusals.append((status, reason))


class Server:
    """Connections to one application, without a network."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.loop, self.state, self.application = Loop(), ServerState(), Application()
        self.config = uvicorn.Config(self.application, lifespan="off", log_config=None, proxy_headers=False)
        self.kind = bounded(limits)

    def connect(self, host: str = "192.0.2.1") -> tuple[HttpConnection, Wire]:
        wire, connection = Wire(host), self.kind(self.config, self.state, {}, self.loop)
        wire.connection = connection
        connection.connection_made(wire)
        return connection, wire

    @property
    def held(self) -> int:
        return self.connect("192.0.2.99")[0]._bounds.held


def a_request(body: bytes = b"{}", more: bytes = b"") -> bytes:
    return HEAD + more + b"content-length: %d\r\n\r\n" % len(body) + body


def status(wire: Wire) -> int:
    return int(wire.written[9:12]) if wire.written else 0


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_whole_request_is_answered_and_the_connection_kept(server):
    connection, wire = server.connect()
    for _ in range(2):
        connection.data_received(a_request())
    assert wire.written.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert (wire.open, server.application.bodies) == (True, [b"{}", b"{}"])


def test_a_request_may_come_byte_by_byte(server):
    connection, wire = server.connect()
    for byte in a_request(b"in pieces"):
        connection.data_received(bytes([byte]))
    assert (status(wire), server.application.bodies) == (200, [b"in pieces"])


@pytest.mark.parametrize("sent", [b"", b"POST", HEAD, HEAD + b"x: 1\r\n"])
def test_a_connection_without_a_whole_head_ends_ten_seconds_after_it_was_accepted(server, sent):
    connection, wire = server.connect()
    for byte in sent:
        server.loop.passes(0.2)
        connection.data_received(bytes([byte]))
    server.loop.passes(9.9 - 0.2 * len(sent))
    assert wire.open
    server.loop.passes(LIMITS.close_seconds + 2 * SWEEP_SECONDS + 0.2)
    assert not wire.open
    assert status(wire) == (408 if sent else 0)


def test_the_next_head_has_its_own_ten_seconds_and_an_idle_connection_thirty(server):
    connection, wire = server.connect()
    connection.data_received(a_request())
    server.loop.passes(29)
    connection.data_received(b"POST /ho")
    server.loop.passes(9)
    assert wire.open
    server.loop.passes(4)
    assert not wire.open
    connection, wire = server.connect()
    connection.data_received(a_request())
    server.loop.passes(29)
    connection.data_received(b"\r\n")  # it is no request
    server.loop.passes(2)
    assert not wire.open


def test_a_body_has_ten_seconds_however_it_trickles(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"content-length: 1000\r\n\r\n")
    for _ in range(9):
        server.loop.passes(1)
        connection.data_received(b"x")
    assert (wire.open, wire.written) == (True, b"")
    server.loop.passes(2)
    assert status(wire) == 408
    assert server.held == 0


def test_waiting_for_the_application_is_not_the_senders_fault(server):
    server.application.at_once = False
    connection, wire = server.connect()
    connection.data_received(a_request())
    server.loop.passes(300)
    [exchange] = server.application.waiting
    exchange.answer(200, ACCEPTED, b"")
    assert (status(wire), wire.open) == (200, True)


@pytest.mark.parametrize("size", [-1, 0, 1])
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_ends_at_its_bound(server, size, pieces):
    connection, wire = server.connect()
    frame = len(b"/hook") + sum(len(name) + 4 for name in (b"hostx", b"content-length2", b"x"))
    head = HEAD + b"x: " + b"a" * (LIMITS.head_bytes + size - frame) + b"\r\ncontent-length: 2\r\n\r\n"
    step = len(head) // pieces + 1
    for start in range(0, len(head), step):
        connection.data_received(head[start : start + step])
    connection.data_received(b"{}")
    assert status(wire) == (431 if size > 0 else 200)


def test_a_header_without_an_end_is_refused_soon(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"x: ")
    for _ in range(LIMITS.head_bytes // 1000 + 1):
        connection.data_received(b"a" * 1000)
    assert (status(wire), wire.half) == (431, True)
    connection.data_received(b"a" * 1000)
    server.loop.passes(LIMITS.close_seconds + 2 * SWEEP_SECONDS)
    assert not wire.open
    assert server.application.refusals == [(431, "head_too_large")]


def test_trailers_count_as_headers(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    for _ in range(20):
        connection.data_received(b"x: " + b"a" * 1000 + b"\r\n")
    assert status(wire) == 431


@pytest.mark.parametrize("size", [-1, 0, 1])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_ends_at_its_bound(server, size, chunked):
    connection, wire = server.connect()
    body = b"x" * (LONGEST_BODY + size)
    if chunked:
        connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 60_000):
            piece = body[start : start + 60_000]
            connection.data_received(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.data_received(b"0\r\n\r\n")
    else:
        connection.data_received(a_request(body))
    assert status(wire) == (413 if size > 0 else 200)
    assert server.held == 0


def test_a_body_announced_as_too_large_is_refused_before_it_comes(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"content-length: %d\r\nx" % (LONGEST_BODY + 1))
    assert status(wire) == 413


def test_a_body_of_tiny_chunks_does_not_travel_for_ever(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"1;" + b"e" * 60_000 + b"\r\nx\r\n"
    for _ in range(4 * LONGEST_BODY // len(chunk) + 2):
        connection.data_received(chunk)
    assert status(wire) == 413


def test_all_bodies_together_have_one_bound_and_the_oldest_makes_room():
    server = Server(Limits(proxies=(), bodies_bytes=300_000))
    head = HEAD + b"content-length: 200000\r\n\r\n"
    slow, slow_wire = server.connect()
    slow.data_received(head + b"x" * 150_000)
    quick, quick_wire = server.connect()
    quick.data_received(head + b"x" * 150_000)
    assert (slow_wire.written, quick_wire.written) == (b"", b"")
    quick.data_received(b"x" * 50_000)
    assert (status(slow_wire), slow_wire.open) == (503, False)
    assert (status(quick_wire), server.held) == (200, 0)


def test_bodies_that_wait_for_the_application_are_counted_and_not_thrown_away():
    server = Server(Limits(proxies=(), bodies_bytes=300_000))
    server.application.at_once = False
    first, first_wire = server.connect()
    first.data_received(a_request(b"x" * 200_000))
    second, second_wire = server.connect()
    second.data_received(a_request(b"x" * 200_000))
    assert (first_wire.written, status(second_wire)) == (b"", 503)
    server.application.waiting[0].answer(200, ACCEPTED, b"")
    third, third_wire = server.connect()
    third.data_received(a_request(b"x" * 200_000))
    server.application.waiting[-1].answer(200, ACCEPTED, b"")
    assert (status(first_wire), status(third_wire), server.held) == (200, 200, 0)


def test_a_sender_that_leaves_gives_back_what_it_held(server):
    connection, wire = server.connect()
    connection.data_received(HEAD + b"content-length: 1000\r\n\r\n" + b"x" * 500)
    wire.close()
    assert server.held == 0


def test_silent_connections_never_keep_others_out():
    server = Server(Limits(proxies=(), connections=10))
    silent = [server.connect(f"192.0.2.{n}")[1] for n in range(10)]
    connection, wire = server.connect()
    connection.data_received(a_request())
    assert status(wire) == 200
    assert [each.open for each in silent] == [False] + [True] * 9


def test_idle_connections_make_room_after_silent_ones_and_busy_ones_do_not():
    server = Server(Limits(proxies=(), connections=2))
    idle, idle_wire = server.connect()
    idle.data_received(a_request())
    server.application.at_once = False
    busy, busy_wire = server.connect()
    busy.data_received(a_request())
    third, third_wire = server.connect()
    assert (idle_wire.open, busy_wire.open, third_wire.open) == (False, True, True)
    third.data_received(a_request())
    assert status(server.connect()[1]) == 503


def test_one_address_has_its_share_of_connections_and_proxies_are_not_counted():
    server = Server(Limits(proxies=("198.51.100.0/24",), per_address=3))
    wires = [server.connect("192.0.2.1")[1] for _ in range(4)]
    assert [each.open for each in wires] == [True, True, True, False]
    assert server.connect("192.0.2.2")[1].open
    assert all(server.connect("198.51.100.7")[1].open for _ in range(10))
    wires[0].close()
    assert server.connect("192.0.2.1")[1].open


@pytest.mark.parametrize(
    ("host", "other", "together"),
    [("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:0:1::1", False), ("::ffff:192.0.2.1", "192.0.2.1", True)],
)
def test_an_address_of_ipv6_is_its_network(host, other, together):
    server = Server(Limits(proxies=(), per_address=1))
    server.connect(host)
    assert server.connect(other)[1].open is not together


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "172.18.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", ""])
def test_private_addresses_are_proxies_by_default(host):
    server = Server(Limits(per_address=1))
    assert all(server.connect(host)[1].open for _ in range(3))


def test_requests_in_a_row_are_answered_in_their_order_and_only_some_wait(server):
    server.application.at_once = False
    connection, wire = server.connect()
    connection.data_received(b"".join(a_request(b"%d" % n) for n in range(40)))
    assert server.application.bodies == [b"0"]
    for n in range(16):
        server.application.waiting[n].answer(200, ACCEPTED, b"")
    assert server.application.bodies == [b"%d" % n for n in range(16)]
    assert wire.written.count(b"HTTP/1.1 200 OK") == 16
    assert not wire.open


def test_a_sender_that_reads_no_answers_is_cut_off(server):
    connection, wire = server.connect()
    connection.data_received(a_request())
    connection.pause_writing()
    assert not wire.reading
    server.loop.passes(LIMITS.close_seconds + 2 * SWEEP_SECONDS)
    assert not wire.open


def test_what_is_no_http_is_refused(server):
    connection, wire = server.connect()
    connection.data_received(b"\x16\x03\x01\x02\x00\x01\x00\x01")
    assert (status(wire), server.application.refusals) == (400, [(400, "no_http")])


def test_a_stopping_server_answers_what_is_under_way(server):
    server.application.at_once = False
    busy, busy_wire = server.connect()
    busy.data_received(a_request())
    idle_wire = server.connect()[1]
    for connection in list(server.state.connections):
        connection.shutdown()
    assert (busy_wire.open, idle_wire.open) == (True, False)
    server.application.waiting[0].answer(200, ACCEPTED, b"")
    assert (status(busy_wire), busy_wire.open) == (200, False)
    assert b"connection: close" in busy_wire.written


def test_an_answer_to_one_who_left_does_no_harm(server):
    server.application.at_once = False
    connection, wire = server.connect()
    connection.data_received(a_request())
    wire.close()
    server.application.waiting[0].answer(200, ACCEPTED, b"")
    assert (wire.written, len(server.state.connections)) == (b"", 0)


def test_the_gateway_is_never_served_without_bounds():
    """In a process that imports the application and nothing else of ours."""
    endpoint = "import producers.gateway.webhook_endpoint, uvicorn"
    served = f'{endpoint}; c = uvicorn.Config("x:y", http="httptools"); print(uvicorn.config.HTTP_PROTOCOLS[c.http])'
    shown = subprocess.run([sys.executable, "-c", served], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"{HttpConnection.__module__}:{HttpConnection.__name__}"
