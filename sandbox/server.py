"""One process: the API, the pages, the inbox, the courier and the pump that lets business time happen."""

import asyncio
import json
import logging
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sandbox import admin
from sandbox import webhook_receiver as merchant
from sandbox.api.app import Api
from sandbox.api.endpoints import Endpoints
from sandbox.clock import SandboxClock
from sandbox.faults import Faults
from sandbox.mail import inbox
from sandbox.mail.browser import Browser
from sandbox.pages import home
from sandbox.pages import inbox as inbox_page
from sandbox.pages import invoice as invoice_page
from sandbox.runtime import Runtime
from sandbox.simulation.baseline import Baseline
from sandbox.simulation.seeded_random import Luck
from sandbox.simulation.world import Setting, World
from sandbox.webhooks import Courier

log = logging.getLogger(__name__)
_PUMP_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve; see `python -m sandbox serve --help`."""

    home: Path
    port: int
    smtp_port: int
    seed: int
    customers: int
    days: float
    speed: float
    stripe_retries: bool
    account: str
    api_key: str
    ready_file: Path | None
    receiver_secrets: Path | None = None
    start: float | None = None
    stepped: bool = False


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Writes `sandbox.json` and the ready file once everything answers."""
    options.home.mkdir(parents=True, exist_ok=True)
    listening = socket.create_server(("127.0.0.1", options.port), backlog=256)
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    machine = _machine(options, base)
    box = inbox.Mailbox(machine, options.home / "mails.jsonl")
    server = _http(machine, box)
    await machine.courier.open()
    machine.browser.open()
    machine.world.behaviour.fetch = machine.browser.fetch
    smtp, smtp_port = await inbox.listen(box, machine, options.smtp_port)
    _stop_on_signal(server)
    pump = asyncio.create_task(_pump(machine))
    pump.add_done_callback(lambda done: _stopped(done, server))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    _announce(options, base, smtp_port, machine)
    try:
        await serving
    finally:
        pump.cancel()
        smtp.close()
        await machine.browser.close()
        await machine.courier.close()


def _machine(options: Options, base: str) -> Runtime:
    file = options.home / "clock.json"
    clock = SandboxClock(file, speed=options.speed, days=options.days, start=options.start, stepped=options.stepped)
    setting = Setting(
        seed=options.seed,
        start=clock.began,
        customers=options.customers,
        days=options.days,
        stripe_retries=options.stripe_retries,
        account=options.account,
        base=base,
    )
    luck = Luck(options.seed)
    endpoints = Endpoints(luck)
    courier = Courier(endpoints, clock, luck, options.account)
    return Runtime(
        world=World(setting),
        clock=clock,
        endpoints=endpoints,
        courier=courier,
        faults=Faults(),
        luck=luck,
        api_key=options.api_key,
        receiver=merchant.WebhookReceiver(_secrets(options)),
        browser=Browser(one_by_one=options.stepped),
    )


def _secrets(options: Options) -> list[str]:
    return options.receiver_secrets.read_text().split() if options.receiver_secrets is not None else []


def _http(machine: Runtime, box: inbox.Mailbox) -> uvicorn.Server:
    routes = [
        *Api(machine).routes(),
        *admin.routes(machine, Baseline(machine.world.setting)),
        *invoice_page.routes(machine),
        *inbox_page.routes(machine, box),
        *home.routes(machine),
        *merchant.routes(machine.receiver),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


async def _pump(machine: Runtime) -> None:
    while True:
        if not machine.clock.stepped:
            machine.catch_up()
        await asyncio.sleep(_PUMP_EVERY_S)


def _stopped(pump: asyncio.Task[None], server: uvicorn.Server) -> None:
    if not pump.cancelled() and pump.exception() is not None:
        log.error("The simulation stopped; the sandbox ends with it.", exc_info=pump.exception())
        server.should_exit = True


def _stop_on_signal(server: uvicorn.Server) -> None:
    # uvicorn raises the signal again when it has stopped; with a handler of ours in place that is harmless
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)


def _announce(options: Options, base: str, smtp_port: int, machine: Runtime) -> None:
    facts = {
        "pid": os.getpid(),
        "api_base": base,
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp_port,
        "inbox_url": f"{base}/inbox",
        "clock_file": str(machine.clock.path),
        "account": options.account,
        "api_key": options.api_key,
        "month_start": machine.world.setting.start,
        "month_end": machine.world.month_end,
        "seed": options.seed,
    }
    fresh = options.home / "sandbox.json.tmp"
    fresh.write_text(json.dumps(facts, indent=2))
    os.replace(fresh, options.home / "sandbox.json")
    if options.ready_file is not None:
        options.ready_file.touch()
