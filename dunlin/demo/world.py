"""A month of an imaginary merchant's life against the real pipeline: what it consists of, as values."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from dunlin.stack.directory_lock import InUseError, holder, is_held
from dunlin.stack.ports import HOST
from dunlin.stack.service import Service
from dunlin.stack.services import REPOSITORY
from producers.providers.stripe import DEAUTHORIZED, EVENT_TYPES
from recovery.adapters.clock import wall

ACCOUNT = "acct_1DunlinDemo"
API_KEY = "sk_test_dunlin_demo"
RECEIVER_SECRETS = "shop.secrets"
RECEIVER_SECRET = "whsec_ZHVubGluLWRlbW8tZHVubGluLWRlbW8tZHVubGlu"  # noqa: S105 - of an imaginary merchant
"""Known to everybody, as all of this world is."""
MAIL_FROM = "billing@merchant.example"
ALERT_EMAIL = "alerts@merchant.example"
MONTH_DAYS = 30

SUBSCRIBED = (*EVENT_TYPES, DEAUTHORIZED)
"""The events a merchant's endpoint subscribes to; never `invoice.created`, never `*`."""

ACT_LATER = frozenset({"expiring"})
"""Parts that act by the clock, beside the ticker."""

API_VERSION = "2026-09-30.endive"


@dataclass(frozen=True, kw_only=True)
class World:
    """The imaginary merchant: how many customers, how long, by which seed, with Stripe's own retries or without.

    `start` is when the month begins, Unix seconds; without it so many days before now.
    """

    customers: int = 2_000
    days: float = MONTH_DAYS
    seed: int = 7
    stripe_retries: bool = False
    start: float | None = None


@dataclass(frozen=True, kw_only=True)
class SandboxPlace:
    """Where the sandbox lives: its folder and ports."""

    home: Path
    port: int
    smtp_port: int

    @property
    def api(self) -> str:
        """The address of the sandbox's API, pages and truth."""
        return f"http://{HOST}:{self.port}"

    @property
    def clock_file(self) -> Path:
        """The file that holds business time."""
        return self.home / "clock.json"

    @property
    def later_clock_file(self) -> Path:
        """The same for programs with timers of their own, which act after the ticker has published a step."""
        return self.home / "clock-later.json"


MARKER = "this folder belongs to a Dunlin demonstration and is emptied when one starts"


def home_of(home: Path) -> Path:
    """The folder of the demonstration below DUNLIN_HOME, apart from what a real stack keeps there."""
    return home / "demo"


def empty_home(home: Path) -> None:
    """Remove what an earlier demonstration left in `home`.

    Raises InUseError while one is running there, and ValueError when the folder holds anything else.
    """
    marker = home / "demo.txt"
    if home.is_dir() and any(home.iterdir()):
        if not marker.is_file():
            raise ValueError(f"{home} is not empty and not a demonstration's folder. Move it away, or set DUNLIN_HOME to another place.")
        if is_held(home / "run"):
            raise InUseError(home, holder(home / "run"))
        shutil.rmtree(home)
    home.mkdir(mode=0o700, parents=True)
    marker.write_text(MARKER + "\n")


def environment(home: Path, place: SandboxPlace) -> dict[str, str]:
    """The settings of all parts that make them live in the sandbox's world."""
    return {
        "DUNLIN_HOME": str(home),
        "DUNLIN_TENANTS_FILE": str(home / "tenants.toml"),
        "DUNLIN_CLOCK_FILE": str(place.clock_file),
        "DUNLIN_STRIPE_API_BASE": place.api,
        "DUNLIN_SMTP_URL": f"smtp://{HOST}:{place.smtp_port}",
        "DUNLIN_MAIL_FROM": MAIL_FROM,
        "DUNLIN_DASHBOARD_ACCOUNT": ACCOUNT,
        "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "yes",  # the merchant's own system is the sandbox
        "TWILIO_ACCOUNT_SID": "",  # the numbers of this world may be somebody's in ours
    }


def first_moment(day: str, days: float, now: datetime) -> float:
    """When business time begins, Unix seconds: at a day or moment in ISO 8601 (UTC), or so many days before now when none is given.

    Raises ValueError when it cannot be read, or when the last day would lie ahead of now.
    """
    if not day:
        return float(int((now - timedelta(days=days)).timestamp()))
    try:
        begins = datetime.fromisoformat(day)
    except ValueError as error:
        raise ValueError(f"--from {day}: give a day as 2026-03-01.") from error
    begins = begins if begins.tzinfo else begins.replace(tzinfo=UTC)
    if begins + timedelta(days=days) > now:
        raise ValueError(
            f"--from {day}: {days:g} days from there end after now; business time is never ahead of the wall's. Begin earlier."
        )
    return float(int(begins.timestamp()))


def stepped(parts: Sequence[Service], place: SandboxPlace) -> list[Service]:
    """The same services, where those with timers of their own follow the clock when the ticker has published a step and it is done."""
    later = {"DUNLIN_CLOCK_FILE": str(place.later_clock_file)}
    return [replace(part, env={**part.env, **later}) if part.name in ACT_LATER else part for part in parts]


def several(parts: Sequence[Service], workers: int, gateways: int) -> list[Service]:
    """The same parts with so many stream workers, which share the partitions, and gateways, which share a port."""
    more = [
        _another(part, number) for part in parts for number in range(2, 1 + {"streams": workers, "gateway": gateways}.get(part.name, 1))
    ]
    shared = {"DUNLIN_GATEWAY_SHARES_PORT": "yes"} if gateways > 1 else {}
    every = (*parts, *more)
    return [replace(part, env={**part.env, **shared}) if part.name.startswith("gateway") else part for part in every]


def _another(part: Service, number: int) -> Service:
    worker = {"DUNLIN_WORKER_ID": f"local-{number}"} if part.name == "streams" else {}
    return replace(part, name=f"{part.name}-{number}", env={**part.env, **worker}, ports={}, urls={})


def write_tenant(home: Path, place: SandboxPlace) -> None:
    """Write the tenants file of the imaginary merchant, whose own system listens in the sandbox.

    The secret of the endpoint that Stripe calls is added when that endpoint is registered.
    """
    secrets = home / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    _write_secret(secrets / "stripe.key", API_KEY)
    _write_secret(secrets / "webhook.secrets", "")
    _write_secret(secrets / RECEIVER_SECRETS, f"{RECEIVER_SECRET}\n")
    (home / "tenants.toml").write_text(
        f'[[tenant]]\naccount = "{ACCOUNT}"\nname = "Wader Supply Co."\nlivemode = false\nalert_email = "{ALERT_EMAIL}"\n'
        'api_key_file = "secrets/stripe.key"\nwebhook_secrets_file = "secrets/webhook.secrets"\n\n'
        '[tenant.policy]\nmode = "act"\ntest_first_invoices = false\n\n'
        "[tenant.policy.prevention]\nenabled = true\n\n"
        f'[tenant.endpoints.shop]\nurl = "{place.api}/api/webhooks/recovery-event"\nsecrets_file = "secrets/{RECEIVER_SECRETS}"\n'
        'events = ["payment_failed", "payment_recovered", "case_abandoned"]\n'
    )


def register_endpoint(api: str, gateway: str, secrets: Path) -> str:
    """Register the gateway as the merchant's webhook endpoint, as connecting does, and keep its secret. Answers the endpoint's id."""
    import stripe

    client = stripe.StripeClient(API_KEY, base_addresses={"api": api})
    url = f"{gateway}/api/stripe/webhook/{ACCOUNT}"
    wanted: Any = {"url": url, "enabled_events": list(SUBSCRIBED), "api_version": API_VERSION}  # the package lists every literal
    endpoint = client.v1.webhook_endpoints.create(wanted)
    _write_secret(secrets, f"{endpoint.secret}\n")
    return endpoint.id


def sandbox_parts(place: SandboxPlace, world: World, gateway: str, tenant_home: Path) -> list[Service]:
    """The two parts that a demonstration has besides a full stack: the sandbox, and the registration of the endpoint in it."""
    home = ("--home", str(place.home), "--port", str(place.port), "--smtp-port", str(place.smtp_port))
    begins = () if world.start is None else ("--start", str(world.start))
    life = ("--seed", str(world.seed), "--customers", str(world.customers), "--days", str(world.days), "--stepped", *begins)
    receiver = ("--receiver-secrets", str(tenant_home / "secrets" / RECEIVER_SECRETS))
    account = ("--account", ACCOUNT, "--api-key", API_KEY, "--stripe-retries", "on" if world.stripe_retries else "off")
    endpoint = ("--api", place.api, "--gateway", gateway, "--secrets", str(tenant_home / "secrets" / "webhook.secrets"))
    return [
        Service(
            name="sandbox",
            wave=0,
            argv=(sys.executable, "-m", "sandbox", "serve", *home, *life, *account, *receiver),
            cwd=REPOSITORY,
            ports={"http": place.port, "smtp": place.smtp_port},
            urls={"api": place.api, "inbox": f"{place.api}/inbox", "smtp": f"smtp://{HOST}:{place.smtp_port}"},
        ),
        Service(name="endpoint", wave=1, argv=(sys.executable, "-m", "dunlin", "demo-endpoint", *endpoint), cwd=REPOSITORY, one_shot=True),
    ]


class Sandbox:
    """The sandbox's own calls: start and hold its clock, ask for its truth. Raises httpx.HTTPError when it does not answer."""

    def __init__(self, api: str) -> None:
        self._http = httpx.Client(base_url=api, timeout=120.0)

    def start(self) -> None:
        """Let the month begin."""
        self._post("/_start")

    def hold(self, reason: str) -> None:
        """Stop business time until `release` with the same reason."""
        self._post("/_clock/hold", {"reason": reason})

    def release(self, reason: str) -> None:
        """Let business time go on."""
        self._post("/_clock/release", {"reason": reason})

    def step(self, to: float) -> bool:
        """Move the clock to this business time, Unix seconds; False while it is held."""
        answer = self._http.post("/_clock/step", json={"to": to})
        if answer.status_code == httpx.codes.CONFLICT:
            return False
        answer.raise_for_status()
        return True

    def follow(self) -> None:
        """Let those know of the step who act by the clock after the ticker."""
        self._post("/_clock/follow")

    def deliver(self) -> Mapping[str, int]:
        """Let customers view pages and webhooks leave; returns how many were `opened`, `begun`, and are `left` after a second."""
        answer = self._http.post("/_clock/deliver")
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]  # JSON of the sandbox's documented shape

    def run_on(self) -> None:
        """Let business time pass as fast as the wall's from now on."""
        self._post("/_clock/run-on")

    def progress(self) -> Mapping[str, Any]:
        """How far the month is, and what has happened so far."""
        return self._get("/_progress")

    def month(self) -> tuple[float, float]:
        """When the month begins and ends, Unix seconds of business time."""
        head = self._get("/_truth/summary")
        return float(head["month_start"]), float(head["month_end"])

    def truth(self) -> Mapping[str, Any]:
        """Everything that really happened."""
        return self._get("/_truth")

    def baseline(self) -> Mapping[str, Any]:
        """The same month without action."""
        return self._get("/_truth/baseline")

    def first_accepted(self, patience: float = 30.0) -> float:
        """When the first webhook was accepted, in unix seconds of wall time; now, when none is within `patience` seconds."""
        deadline = time.monotonic() + patience
        while True:
            accepted = [event["first_accepted_wall"] for event in self.truth()["events"] if event["accepted"]]
            if accepted or time.monotonic() > deadline:
                return min(accepted, default=wall().timestamp())
            time.sleep(0.1)

    def open_deliveries(self) -> int:
        """Webhooks whose delivery is pending or on its way."""
        deliveries = self._get("/_truth/summary")["deliveries"]
        return int(deliveries["pending"]) + int(deliveries["in_flight"])

    def _get(self, path: str) -> Mapping[str, Any]:
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]  # JSON of the sandbox's documented shape

    def _post(self, path: str, body: Mapping[str, str] | None = None) -> None:
        self._http.post(path, json=body or {}).raise_for_status()


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
