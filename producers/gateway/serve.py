"""The gateway under uvicorn: warmed before it says that it is ready, and closed after its last answer."""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from producers.gateway.http.connection_limits import Limits
from producers.gateway.http.protocol import bounded
from producers.gateway.kafka_delivery import KafkaDelivery
from producers.gateway.webhook_endpoint import Gateway
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.topics import FACTS, PARKED_GATEWAY, RAW

_OWN_FILES = 256
"""Files that are open beside the connections."""


class _Server(uvicorn.Server):
    """A server that reports when it listens, and stops when its Kafka client can never deliver again: a new process can."""

    def __init__(self, config: uvicorn.Config, delivery: KafkaDelivery, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._delivery, self._listening = delivery, listening

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or bool(self._delivery.fatal)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order on a signal and leave with 0; uvicorn's own would raise the signal again when all is done."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


def _let_open(files: int) -> None:
    """Let this process have so many files and sockets open, as far as the machine permits: else it could not accept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def serve(
    gateway: Gateway, delivery: KafkaDelivery, listening_socket: socket.socket, listening: Callable[[], None], limits: Limits
) -> None:
    """Serve within the limits until SIGTERM or SIGINT; `listening` is called once requests are taken.

    Raises:
        NotDelivered: the broker does not answer, a topic is missing, or the client broke for good.

    """
    _let_open(limits.connections + _OWN_FILES)
    delivery.warm((RAW.name, FACTS.name, PARKED_GATEWAY.name))
    delivery.start()
    gc.freeze()  # what is loaded stays; looking through it again and again cost a tenth of the throughput
    gc.set_threshold(50_000, 20, 100)
    config = uvicorn.Config(
        gateway,
        loop="uvloop",
        http=bounded(limits),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=8,
        server_header=False,
        proxy_headers=False,
    )
    try:
        await _Server(config, delivery, listening).serve([listening_socket])
    finally:
        delivery.close()
    if delivery.fatal:
        raise NotDelivered(f"The client of the broker cannot go on: {delivery.fatal}. Start the gateway again.")
