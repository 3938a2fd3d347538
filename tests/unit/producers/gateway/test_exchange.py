"""What ASGI applications see of a request: its body in pieces, its end, a sender that leaves; and that there is always an answer."""

import asyncio

import pytest

from producers.gateway.asgi import ClientGone, answer, body_of
from producers.gateway.http.exchange import Exchange, head, scope_of


class Connection:
    """Keeps what is answered."""

    def __init__(self) -> None:
        self.answers = []

    def answered(self, exchange, status, headers, body):
        head(status, headers)
        exchange.answered = True
        self.answers.append((status, body))


def exchange(connection: Connection, url: bytes = b"/o/token") -> Exchange:
    return Exchange(connection, b"POST", url, [], True)


def test_a_body_is_received_as_it_arrives_and_whole_once():
    async def run():
        connection, bodies = Connection(), []
        request = exchange(connection)

        async def application(_scope, receive, send):
            bodies.append(await body_of(receive, 0, 100))
            await answer(send, 200, b"thanks")

        task = asyncio.ensure_future(request.run(application, {}))
        for piece in (b"one ", b"two"):
            await asyncio.sleep(0)
            request.body.append(piece)
            request.wake()
        await asyncio.sleep(0)
        request.complete = True
        request.wake()
        await task
        return bodies, connection.answers

    assert asyncio.run(run()) == ([b"one two"], [(200, b"thanks")])


def test_a_sender_that_leaves_is_told_of_and_not_answered():
    async def run():
        connection = Connection()
        request = exchange(connection)

        async def application(_scope, receive, _send):
            with pytest.raises(ClientGone):
                await body_of(receive, 0, 100)

        task = asyncio.ensure_future(request.run(application, {}))
        await asyncio.sleep(0)
        request.lost = True
        request.wake()
        await task
        return connection.answers

    assert asyncio.run(run()) == []


async def fails(_scope, _receive, _send):
    raise LookupError("jo@payer.example")


async def says_nothing(_scope, _receive, _send):
    pass


async def breaks_a_line(_scope, _receive, send):
    await answer(send, 302, b"", more=((b"location", b"https://pay.example/\r\nset-cookie: x=1"),))


@pytest.mark.parametrize("application", [fails, says_nothing, breaks_a_line])
def test_whatever_an_application_does_there_is_an_answer(application):
    connection = Connection()
    asyncio.run(exchange(connection).run(application, {}))
    assert [status for status, _ in connection.answers] == [500]


def test_a_path_is_read_as_asgi_says():
    scope = scope_of(exchange(Connection(), b"/o/a%20b?m=1&x"), ("192.0.2.1", 1), {})
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/o/a b", b"/o/a%20b", b"m=1&x")
