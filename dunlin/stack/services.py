"""The parts of a full stack, in the order in which they need each other; pure."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from dunlin.clickhouse_server.users import USERS
from dunlin.stack.ports import HOST
from dunlin.stack.service import Service
from recovery.config import Settings

SERVICE_NAMES = (
    "kafka",
    "clickhouse",
    "topics",
    "migrate",
    "policies",
    "gateway",
    "ticker",
    "streams",
    "warehouse",
    "effects",
    "expiring",
    "dashboard",
)
"""Every part there can be, in order."""

DAY_SECONDS = 86_400
"""How often cards that expire are scanned, in business time."""

_SERVERS, _TABLES, _POLICIES, _SERVICES = range(4)

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class LocalPorts:
    """Ports of the two embedded servers."""

    kafka: int = 9092
    kafka_controller: int = 9093
    clickhouse_http: int = 8123
    clickhouse_tcp: int = 9000


def bootstrap(settings: Settings, ports: LocalPorts) -> str:
    """Say where Kafka is: outside when it is configured, else our own."""
    return settings.kafka_bootstrap or f"{HOST}:{ports.kafka}"


def full_stack(settings: Settings, ports: LocalPorts, passwords: Mapping[str, str], *, has_policies: bool) -> list[Service]:
    """List all parts for these settings.

    Kafka and ClickHouse are ours only where the settings name none. `passwords` are those of the embedded ClickHouse;
    `has_policies` says whether there is a tenants file to publish.
    """
    urls = _warehouse_urls(settings, ports, passwords)
    common = _environment(settings, bootstrap(settings, ports))
    parts = [] if settings.kafka_bootstrap else [_kafka(settings, ports)]
    parts += [] if settings.clickhouse_url else [_clickhouse(settings, ports, urls)]
    parts.append(_once("topics", _TABLES, common, "dunlin", "topics", "create"))
    parts.append(_once("migrate", _TABLES, {**common, **urls["admin"]}, "sinks", "migrate"))
    if has_policies:
        parts.append(_once("policies", _POLICIES, common, "producers", "policies"))
    gateway = f"http://{settings.gateway_host}:{settings.gateway_port}"
    parts.append(_service("gateway", common, "producers", ports={"http": settings.gateway_port}, urls={"webhooks": gateway}))
    parts.append(_service("ticker", common, "producers"))
    parts.append(_service("streams", {**common, "DUNLIN_WORKER_ID": "local"}, "streams", verb="worker", stop_grace=20.0))
    parts.append(_service("warehouse", {**common, **urls["sink"]}, "sinks"))
    parts.append(_service("effects", common, "sinks", stop_grace=20.0))
    parts.append(_service("expiring", common, "producers", args=("--every", str(DAY_SECONDS))))
    parts.append(_dashboard(settings, {**common, **urls["dashboard"]}))
    return parts


def chosen(parts: list[Service], only: Collection[str], without: Collection[str]) -> list[Service]:
    """Keep the parts named in `only` (all, when empty) and not in `without`; raises ValueError for an unknown name."""
    if unknown := sorted({*only, *without} - set(SERVICE_NAMES)):
        raise ValueError(f"no part is called {', '.join(unknown)}; there are: {', '.join(SERVICE_NAMES)}")
    return [part for part in parts if (not only or part.name in only) and part.name not in without]


def _warehouse_urls(settings: Settings, ports: LocalPorts, passwords: Mapping[str, str]) -> dict[str, dict[str, str]]:
    if settings.clickhouse_url:
        return {user: {"DUNLIN_CLICKHOUSE_URL": settings.clickhouse_url} for user in USERS}
    address = f"{HOST}:{ports.clickhouse_http}/"
    return {user: {"DUNLIN_CLICKHOUSE_URL": f"http://{user}:{word}@{address}"} for user, word in passwords.items()}


def _environment(settings: Settings, kafka: str) -> dict[str, str]:
    """Spell out what has a default, so that every part sees the same; the rest is inherited."""
    return {
        "DUNLIN_HOME": str(settings.home),
        "DUNLIN_TENANTS_FILE": str(settings.tenants_file),
        "DUNLIN_KAFKA_BOOTSTRAP": kafka,
        "DUNLIN_PUBLIC_URL": public_url(settings),
        "DUNLIN_GATEWAY_PORT": str(settings.gateway_port),
        "DUNLIN_DASHBOARD_PORT": str(settings.dashboard_port),
        "DUNLIN_DASHBOARD_ACCOUNT": settings.dashboard_account,
    }


def public_url(settings: Settings) -> str:
    """The address at which customers reach the gateway: that of the settings and, in a sandbox's world, the gateway itself.

    Never so outside a sandbox: no customer's browser reaches this machine by its loopback address.
    """
    own = f"http://{settings.gateway_host}:{settings.gateway_port}"
    return settings.public_url or (own if settings.stripe_api_base else "")


def _python(module: str, *args: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *args)


def _kafka(settings: Settings, ports: LocalPorts) -> Service:
    root = str(settings.home / "kafka")
    listening = ("--port", str(ports.kafka), "--controller-port", str(ports.kafka_controller))
    return Service(
        name="kafka",
        wave=_SERVERS,
        argv=_python("dunlin.kafka_server", "--root", root, *listening, "--take-over"),
        cwd=REPOSITORY,
        ready_port=ports.kafka,
        ready_within=600.0,  # the first start fetches 38 MB
        stop_grace=30.0,
        ports={"clients": ports.kafka, "controller": ports.kafka_controller},
        urls={"bootstrap": f"{HOST}:{ports.kafka}"},
    )


def _clickhouse(settings: Settings, ports: LocalPorts, urls: Mapping[str, Mapping[str, str]]) -> Service:
    root = str(settings.home / "clickhouse")
    listening = ("--http-port", str(ports.clickhouse_http), "--tcp-port", str(ports.clickhouse_tcp))
    return Service(
        name="clickhouse",
        wave=_SERVERS,
        argv=_python("dunlin.clickhouse_server", "--root", root, *listening, "--take-over"),
        cwd=REPOSITORY,
        env={"DUNLIN_DASHBOARD_ACCOUNT": settings.dashboard_account},
        ready_port=ports.clickhouse_http,
        stop_grace=25.0,
        ports={"http": ports.clickhouse_http, "native": ports.clickhouse_tcp},
        urls={user: each["DUNLIN_CLICKHOUSE_URL"] for user, each in urls.items()},
    )


def _once(name: str, wave: int, env: Mapping[str, str], module: str, *args: str) -> Service:
    return Service(name=name, wave=wave, env=env, argv=_python(module, *args), cwd=REPOSITORY, one_shot=True)


def _service(
    name: str,
    env: Mapping[str, str],
    module: str,
    *,
    verb: str = "",
    args: tuple[str, ...] = (),
    stop_grace: float = 10.0,
    ports: Mapping[str, int] | None = None,
    urls: Mapping[str, str] | None = None,
) -> Service:
    return Service(
        name=name,
        wave=_SERVICES,
        env=env,
        argv=_python(module, verb or name, *args),
        cwd=REPOSITORY,
        stop_grace=stop_grace,
        ports=ports or {},
        urls=urls or {},
    )


def _dashboard(settings: Settings, env: Mapping[str, str]) -> Service:
    port = settings.dashboard_port
    options = ("--server.headless=true", f"--server.port={port}", f"--server.address={HOST}", "--server.fileWatcherType=none")
    script = str(REPOSITORY / "dashboard" / "app.py")
    return Service(
        name="dashboard",
        wave=_SERVICES,
        env=env,
        argv=_python("streamlit", "run", script, *options, "--browser.gatherUsageStats=false"),
        cwd=REPOSITORY,
        ready_port=port,
        ports={"http": port},
        urls={"pages": f"http://{HOST}:{port}"},
    )
