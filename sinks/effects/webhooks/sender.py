"""One try of one delivery: resolve, check, connect to the checked address, post, read a little of the answer; never longer than a limit.

The time limit is over all of it, so neither a receiver that drips bytes nor a name server that hangs holds a worker.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping

import httpx
import msgspec

from recovery.adapters.logs import scrub
from recovery.vocabulary import Clock
from sinks.effects.webhooks import retry_schedule
from sinks.effects.webhooks.resolvers import NoResolver, NotResolved, Resolvers
from sinks.effects.webhooks.ssrf_guard import AddressForbidden, AddressPolicy, Resolve, ResolvedTarget, resolve_allowed, resolved

CONNECT_SECONDS, TOTAL_SECONDS, RESOLVE_SECONDS, BODY_SECONDS = 5.0, 15.0, 5.0, 2.0
READ_BYTES = 4096
"""How much of an answer is read at most."""
KEPT_CHARACTERS = 300
"""How much of it goes into the log of deliveries."""
ADDRESSES = 3
"""How many addresses of a host are tried until one can be connected to."""
GONE = 410


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try. `status` is 0 without an answer, `after` the wall seconds that the endpoint wants to be left alone.

    `ours`: it was not made at all, for want of something of ours; it says nothing of the endpoint.
    """

    status: int = 0
    why: str = ""
    answer: str = ""
    after: float = 0.0
    seconds: float = 0.0
    ours: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the endpoint has taken it: any 2xx."""
        return 200 <= self.status < 300


class Sender:
    """Posts to endpoints. Safe for several threads; `close` lets its name resolvers go."""

    def __init__(
        self,
        rules: AddressPolicy,
        wall: Clock,
        *,
        resolve: Resolve = resolved,
        total: float = TOTAL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._rules, self._wall, self._resolve, self._total, self._monotonic = rules, wall, resolve, total, monotonic
        self._resolvers = Resolvers()
        self._context = trusted or ssl.create_default_context()

    def send(self, url: str, body: bytes, headers: Mapping[str, str], account: str = "") -> DeliveryAttempt:
        """Post once, for an account. Answers what came of it; raises nothing that the endpoint or its network can cause."""
        begun = self._monotonic()
        try:
            found = asyncio.run(self._post(self._target(url, account), body, headers))
        except AddressForbidden as error:
            found = DeliveryAttempt(why=str(error))
        except NotResolved as error:
            found = DeliveryAttempt(why=str(error))
        except NoResolver as error:
            found = DeliveryAttempt(why=str(error), ours=True)
        except TimeoutError:
            found = DeliveryAttempt(why=f"no whole answer within {self._total:g} s")
        except socket.gaierror as error:
            found = DeliveryAttempt(why=f"the host's name has no address: {error.strerror}")
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            found = DeliveryAttempt(why=_in_words(error))
        return msgspec.structs.replace(found, seconds=self._monotonic() - begun)

    def close(self) -> None:
        """Take nothing more."""
        self._resolvers.close()

    def _target(self, url: str, account: str) -> ResolvedTarget:
        def resolve(host: str, port: int) -> list[str]:
            return self._resolvers.resolve(account or host, host, port, self._resolve, min(RESOLVE_SECONDS, self._total))

        return resolve_allowed(url, self._rules, resolve)

    async def _post(self, target: ResolvedTarget, body: bytes, headers: Mapping[str, str]) -> DeliveryAttempt:
        timeout = httpx.Timeout(self._total, connect=min(CONNECT_SECONDS, self._total))
        # No proxy of the environment, which would connect to what it likes; no kept connection, which belongs to one name at an address.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with asyncio.timeout(self._total):
            async with httpx.AsyncClient(verify=self._context, timeout=timeout, limits=limits, trust_env=False) as client:
                return await self._first_reachable(client, target, body, headers)

    async def _first_reachable(
        self, client: httpx.AsyncClient, target: ResolvedTarget, body: bytes, headers: Mapping[str, str]
    ) -> DeliveryAttempt:
        addresses = target.addresses[:ADDRESSES]
        for address in addresses[:-1]:
            try:
                return await self._once(client, target, address, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):  # nothing was sent there
                continue
        return await self._once(client, target, addresses[-1], body, headers)

    async def _once(
        self, client: httpx.AsyncClient, target: ResolvedTarget, address: str, body: bytes, headers: Mapping[str, str]
    ) -> DeliveryAttempt:
        sni = {"sni_hostname": target.host}
        every = {**headers, "host": target.netloc}
        request = client.build_request("POST", target.at(address), content=body, headers=every, extensions=sni)
        response = await client.send(request, stream=True, follow_redirects=False)
        answer = bytearray()
        try:
            # The status has said it all: an answer that is slow or broken behind it does not make what was taken not taken.
            with contextlib.suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(min(BODY_SECONDS, self._total)):
                    async for part in response.aiter_raw():
                        answer += part
                        if len(answer) >= READ_BYTES:
                            break
        finally:
            await response.aclose()
        return self._result(response, bytes(answer[:READ_BYTES]))

    def _result(self, response: httpx.Response, answer: bytes) -> DeliveryAttempt:
        status = response.status_code
        why = "" if 200 <= status < 300 else f"answered {status}"
        if 300 <= status < 400:
            why = f"answered {status}: redirects are not followed, give the url that it leads to"
        retry_at = retry_schedule.retry_after(response.headers.get("retry-after", ""), self._wall())
        text = "".join(each if each.isprintable() else " " for each in answer.decode(errors="replace"))
        return DeliveryAttempt(status=status, why=why, answer=scrub(text)[:KEPT_CHARACTERS], after=retry_at)


def _in_words(error: Exception) -> str:
    """What went wrong on the way, without an address of a person or our own machine in it."""
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, httpx.TimeoutException):
        return "the endpoint stopped answering"
    kind = "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"
    return scrub(f"{kind}: {error or type(error).__name__}")[:200]
