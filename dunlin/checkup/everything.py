"""The whole examination, in the order in which a person would set things right."""

from collections.abc import Iterator, Mapping

from dunlin.checkup import home, installed, machine, outside
from dunlin.checkup.finding import Finding
from dunlin.parts import LocalPorts
from recovery.config import Settings


def examine(settings: Settings, environment: Mapping[str, str], local: LocalPorts) -> Iterator[Finding]:
    """Look at everything; what is embedded is looked at only where the settings name no server outside."""
    yield machine.python()
    if not (settings.kafka_bootstrap and settings.clickhouse_url):
        yield machine.this_platform()
    yield machine.disk(settings.home)
    yield machine.memory()
    yield from installed.packages()
    if settings.kafka_bootstrap:
        yield outside.kafka(settings)
    else:
        yield installed.java()
        yield installed.kafka_jars(environment)
    yield outside.clickhouse(settings.clickhouse_url) if settings.clickhouse_url else installed.engine()
    yield from home.tenants(settings.tenants)
    yield from home.stack(settings, local)
