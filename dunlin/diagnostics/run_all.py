"""The whole examination, in the order in which a person would set things right."""

from collections.abc import Iterator, Mapping

from dunlin.diagnostics import external, home, installed, machine
from dunlin.diagnostics.finding import Finding
from dunlin.stack.services import LocalPorts
from recovery.config import Settings


def examine(settings: Settings, environment: Mapping[str, str], local: LocalPorts) -> Iterator[Finding]:
    """Run every check; embedded servers are checked only where the settings name no external one."""
    yield machine.python()
    if not (settings.kafka_bootstrap and settings.clickhouse_url):
        yield machine.this_platform()
    yield machine.disk(settings.home)
    yield machine.memory()
    yield from installed.packages()
    if settings.kafka_bootstrap:
        yield external.kafka(settings)
    else:
        yield installed.java()
        yield installed.kafka_jars(environment)
    yield external.clickhouse(settings.clickhouse_url) if settings.clickhouse_url else installed.engine()
    yield from home.tenants(settings.tenants_file)
    yield from home.stack(settings, local)
