"""What payers' mail programs and browsers ask for: an image in a mail, or a link with every redirect behind it."""

import asyncio
import logging
from urllib.parse import urljoin

import aiohttp

from sandbox.mail.mail_page import is_here

log = logging.getLogger(__name__)

AT_ONCE = 8
TIMEOUT_S = 5.0
MOST_REDIRECTS = 5
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


class Browser:
    """Fetches addresses, eight at once, in the background; failures are ignored, as by people.

    With `one_by_one` nothing is fetched until `load`, and then in order.
    """

    def __init__(self, one_by_one: bool = False) -> None:
        self.one_by_one = one_by_one
        self._kept: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Be ready to fetch; from within the event loop."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers={"User-Agent": AGENT}, timeout=timeout)

    async def close(self) -> None:
        """Give up what is still being fetched."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    @property
    def busy(self) -> bool:
        """Whether something is still being fetched."""
        return bool(self._tasks)

    def fetch(self, address: str) -> None:
        """Ask for an address on this machine, and for what it redirects to as long as that is on this machine, too."""
        if self._session is None:
            return
        if self.one_by_one:
            self._kept.append(address)
            return
        task = asyncio.get_running_loop().create_task(self._follow(self._session, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def load(self) -> int:
        """Ask for what was kept, one after the other; answers how many."""
        kept, self._kept = self._kept, []
        for address in kept:
            if self._session is not None:
                await self._follow(self._session, address)
        return len(kept)

    async def _follow(self, session: aiohttp.ClientSession, address: str) -> None:
        async with self._room:
            for _ in range(1 + MOST_REDIRECTS):
                if not is_here(address):
                    return
                try:
                    async with session.get(address, allow_redirects=False) as answer:
                        await answer.read()
                        where = answer.headers.get("Location", "") if 300 <= answer.status < 400 else ""
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    log.debug("%s was not loaded: %s", address, error)
                    return
                if not where:
                    return
                address = urljoin(address, where)
