"""`python -m sinks migrate|warehouse|effects|test-alert`: brings the tables up to date, writes rows, carries out effects."""

import argparse
import logging
import os
import sys

from recovery.adapters import clock, logs
from recovery.config import Settings, from_env


def main() -> int:
    """Parse the arguments, read the environment, run the part. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sinks", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("migrate", help="bring the ClickHouse tables and views up to date, once")
    warehouse = parts.add_parser("warehouse", help="write every event to ClickHouse, exactly once")
    warehouse.add_argument("--instance", type=int, default=0, help="number of this sink when several run (default 0)")
    parts.add_parser("effects", help="carry out charges, reads and mails")
    tried = parts.add_parser("test-alert", help="send a test alert of an account by e-mail and in Slack, or a test text to a number")
    tried.add_argument("account")
    tried.add_argument("--email", action="store_true")
    tried.add_argument("--slack", action="store_true")
    tried.add_argument("--sms", default="", metavar="NUMBER")
    arguments = parser.parse_args()
    try:
        settings = from_env(os.environ)
    except ValueError as error:
        parser.error(str(error))
    logs.set_up(settings.log_level)
    if arguments.part == "migrate":
        return _migrate(settings)
    if arguments.part == "warehouse":
        return _warehouse(settings, arguments.instance)
    if arguments.part == "test-alert":
        return _try_alerts(settings, arguments)
    return _effects(settings)


def _migrate(settings: Settings) -> int:
    from sinks.warehouse import migrate

    _need(settings.clickhouse_url, "DUNLIN_CLICKHOUSE_URL")
    try:
        migrate.run(settings.clickhouse_url, lambda text: print(f"migrate: {text}", flush=True))
    except migrate.MigrationError as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    return 0


def _warehouse(settings: Settings, instance: int) -> int:
    from sinks.warehouse import main as warehouse

    _need(settings.clickhouse_url, "DUNLIN_CLICKHOUSE_URL")
    _need(settings.kafka_bootstrap, "DUNLIN_KAFKA_BOOTSTRAP")
    code = warehouse.run(settings, clock.wall, instance)
    if code:
        logging.shutdown()
        os._exit(code)  # an ordinary exit would let the Kafka client say good-bye to a broker that may be gone, and wait for it
    return code


def _effects(settings: Settings) -> int:
    from sinks.effects import main as effects

    _need(settings.kafka_bootstrap, "DUNLIN_KAFKA_BOOTSTRAP")
    return int(effects.run(settings) or 0)


def _try_alerts(settings: Settings, wanted: argparse.Namespace) -> int:
    from sinks.effects.alerts import trial_alert

    try:
        ways = trial_alert.Wanted(wanted.account, wanted.email, wanted.slack, wanted.sms)
        return trial_alert.run(settings, ways, clock.wall, lambda text: print(text, flush=True))
    except (ValueError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1


def _need(value: str, name: str) -> None:
    if not value:
        raise SystemExit(f"{name} is not set. `dunlin up` sets it; without it, give the address of the service.")


if __name__ == "__main__":
    sys.exit(main())
