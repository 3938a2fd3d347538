"""`python -m sandbox serve --home DIR`: run the imaginary Stripe."""

import argparse
import asyncio
import logging
import os
from pathlib import Path

import uvloop

from sandbox.server import Options, serve


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="An imaginary Stripe in one process.")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "serve", help="serve on the loopback until stopped", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.add_argument("--home", type=Path, required=True, help="folder for sandbox.json, clock.json, mails.jsonl")
    command.add_argument("--port", type=int, default=0, help="HTTP port, 0 for a free one")
    command.add_argument("--smtp-port", type=int, default=0, help="SMTP port, 0 for a free one")
    command.add_argument("--seed", type=int, default=7, help="the same seed gives the same month")
    command.add_argument("--customers", type=int, default=2000, help="payers of the merchant")
    command.add_argument("--days", type=float, default=30.0, help="days of business before now")
    command.add_argument("--speed", type=float, default=21600.0, help="business seconds per wall second")
    command.add_argument("--start", type=float, help="where business time begins, Unix seconds; without it `--days` before now")
    command.add_argument("--stepped", action="store_true", help="business time is moved only by POST /_clock/step")
    command.add_argument("--stripe-retries", choices=("on", "off"), default="off", help="Stripe's own retries")
    command.add_argument("--account", default="acct_1SandboxDunlin00", help="the merchant's account id")
    command.add_argument("--api-key", default="sk_test_sandbox", help="the only key that is accepted")
    command.add_argument("--receiver-secrets", type=Path, help="file with the secrets by which the merchant's own system believes webhooks")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells every line of every conversation
    ready = os.environ.get("DUNLIN_READY_FILE")
    options = Options(
        home=given.home.resolve(),
        port=given.port,
        smtp_port=given.smtp_port,
        seed=given.seed,
        customers=given.customers,
        days=given.days,
        speed=given.speed,
        stripe_retries=given.stripe_retries == "on",
        account=given.account,
        api_key=given.api_key,
        ready_file=Path(ready) if ready else None,
        receiver_secrets=given.receiver_secrets,
        start=given.start,
        stepped=given.stepped,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options))


if __name__ == "__main__":
    main()
