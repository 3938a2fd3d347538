"""Addresses beginning with an underscore: the clock, ordered faults, the truth. For operators and tests only."""

import asyncio
import gzip
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.runtime import Runtime
from sandbox.simulation import truth
from sandbox.simulation.baseline import Baseline

_PATIENCE_S = 1.0


def routes(machine: Runtime, baseline: Baseline) -> list[Route]:
    """The admin routes of one machine."""

    async def start(_: Request) -> Response:
        machine.clock.start()
        return _json(machine.clock.state())

    async def clock(_: Request) -> Response:
        return _json(machine.clock.state())

    async def hold(http: Request) -> Response:
        machine.clock.hold(await _reason(http))
        machine.catch_up()
        return _json(machine.clock.state())

    async def release(http: Request) -> Response:
        machine.clock.release(await _reason(http))
        return _json(machine.clock.state())

    async def speed(http: Request) -> Response:
        wanted = (await _body(http)).get("speed")
        if not isinstance(wanted, int | float) or wanted <= 0:
            return _json({"error": 'Give the business seconds per wall second, as {"speed": 60}.'}, 400)
        machine.clock.run_at(float(wanted))
        return _json(machine.clock.state())

    async def step(http: Request) -> Response:
        wanted = (await _body(http)).get("to")
        if not isinstance(wanted, int | float):
            return _json({"error": 'Give the business time to move to, in Unix seconds, as {"to": 1772442000}.'}, 400)
        if holders := machine.clock.holders():
            return _json({"error": f"The clock is held: {', '.join(holders)}.", "holds": holders}, 409)
        try:
            machine.clock.step(float(wanted))
        except ValueError as error:
            return _json({"error": str(error)}, 409)
        return _json(machine.clock.state())

    async def follow(_: Request) -> Response:
        machine.clock.follow()
        return _json(machine.clock.state())

    async def deliver(_: Request) -> Response:
        return _json(await machine.deliver(_PATIENCE_S))

    async def run_on(_: Request) -> Response:
        machine.run_on()
        return _json(machine.clock.state())

    async def faults(http: Request) -> Response:
        wanted = await _body(http) if http.method == "POST" else {}
        try:
            return _json(machine.faults.order(wanted, machine.clock.wall()))
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": f"Cannot order this fault: {error}"}, 400)

    async def whole(http: Request) -> Response:
        machine.catch_up()
        return await _large(http, truth.whole(machine))

    async def summary(_: Request) -> Response:
        return _json(truth.summary(machine))

    async def silent_twin(_: Request) -> Response:
        return _json(await baseline.at(machine.catch_up()))

    async def progress(_: Request) -> Response:
        return _json(truth.progress(machine))

    async def health(_: Request) -> Response:
        return _json({"status": "ok", "started": machine.clock.started})

    return [
        Route("/_start", start, methods=["POST"]),
        Route("/_clock", clock),
        Route("/_clock/speed", speed, methods=["POST"]),
        Route("/_clock/step", step, methods=["POST"]),
        Route("/_clock/follow", follow, methods=["POST"]),
        Route("/_clock/deliver", deliver, methods=["POST"]),
        Route("/_clock/run-on", run_on, methods=["POST"]),
        Route("/_clock/hold", hold, methods=["POST"]),
        Route("/_clock/release", release, methods=["POST"]),
        Route("/_faults", faults, methods=["GET", "POST"]),
        Route("/_truth", whole),
        Route("/_truth/summary", summary),
        Route("/_truth/baseline", silent_twin),
        Route("/_progress", progress),
        Route("/_health", health),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _large(http: Request, value: object) -> Response:
    body = msgspec.json.encode(value)
    if "gzip" not in http.headers.get("accept-encoding", ""):
        return Response(body, media_type="application/json")
    packed = await asyncio.to_thread(gzip.compress, body, 1)
    return Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json")


async def _body(http: Request) -> dict[str, Any]:
    raw = await http.body()
    try:
        value = msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


async def _reason(http: Request) -> str:
    return str((await _body(http)).get("reason", "admin"))
