"""The start page `/`: what this is, how far the month is, and links to the rest."""

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from sandbox.clock import SandboxClock
from sandbox.pages.rendering import page
from sandbox.runtime import Runtime
from sandbox.simulation import truth

_HOLDERS = {"start": "waiting to be started", "delivery": "waiting until a webhook is answered"}


def routes(machine: Runtime) -> list[Route]:
    """`/`."""

    async def home(_: Request) -> HTMLResponse:
        world, seen = machine.world, truth.progress(machine)
        return HTMLResponse(
            page(
                "home",
                title=f"Stripe sandbox of {world.setting.merchant}",
                here="home",
                merchant=world.setting.merchant,
                account=world.setting.account,
                customers=f"{world.setting.customers:,}",
                start=world.setting.start,
                end=world.month_end,
                now=world.now,
                state=clock_in_words(machine.clock),
                **{name: seen[name] for name in ("fraction", "failures", "recovered", "mails")},
            )
        )

    return [Route("/", home)]


def clock_in_words(clock: SandboxClock) -> str:
    """What the clock does at present, for people."""
    if clock.caught_up:
        return "The month is over: business time is the time of the wall"
    holders = clock.holders()
    if holders:
        return f"The clock is held: {', '.join(_HOLDERS.get(one, one) for one in holders)}"
    return f"The clock runs {clock.speed:,.0f} times as fast as the wall"
