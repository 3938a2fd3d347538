"""A line that is slow in both directions, so that a process can be killed between a request, what it does, and its answer."""

import asyncio
import contextlib
import random
import threading

from dunlin.stack.ports import HOST


class Lines:
    """How slow all lines of a world are: `seconds` that a message may take on its way, at most."""

    def __init__(self, seconds: float, slowest: float) -> None:
        self.seconds, self._slowest = seconds, slowest

    def slow_down(self) -> None:
        """Let messages take longer: on this machine things are done before anybody sees them begin."""
        self.seconds = min(self._slowest, 1.5 * self.seconds)


class SlowLine:
    """Passes bytes on to a port of this machine, each way after a random pause. What was sent arrives, whoever dies."""

    def __init__(self, port: int, lines: Lines, seed: int) -> None:
        self._to, self._lines, self._luck = port, lines, random.Random(seed)
        self._loop, self._closing = asyncio.new_event_loop(), asyncio.Event()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._carry, HOST, 0))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening and carrying."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, here = await asyncio.open_connection(HOST, self._to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, here), self._pass_on(there, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), self._luck.uniform(0, self._lines.seconds))
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # the other end died, which is what this line is for
        finally:
            writer.close()
