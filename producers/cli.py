"""What `python -m producers` understands on its command line."""

import argparse
from pathlib import Path

from producers.commands import KINDS


def parser() -> argparse.ArgumentParser:
    """The parser; `command` names what is to be run, and each has its own arguments."""
    every = argparse.ArgumentParser(prog="python -m producers", description="Everything that puts outside facts on Kafka.")
    commands = every.add_subparsers(dest="command", required=True)
    commands.add_parser("gateway", help="take Stripe's webhooks")
    commands.add_parser("ticker", help="write the time to every partition of facts")
    policies = commands.add_parser("policies", help="publish the policies that changed")
    policies.add_argument("tenants", nargs="?", type=Path, help="the tenants file (default: DUNLIN_TENANTS_FILE)")
    _policy_parser(commands.add_parser("policy", help="change an account's policy"))
    switch = commands.add_parser("switch", help="pause or resume an account, or all with '*'")
    switch.add_argument("account")
    switch.add_argument("action", choices=("pause", "resume"))
    switch.add_argument("--who", required=True, help="who decided it; written down")
    switch.add_argument("--why", default="", help="the reason; written down")
    _replay_parser(commands.add_parser("replay", help="put parked messages back"))
    command = commands.add_parser("command", help="give a command about a customer")
    command.add_argument("kind", choices=tuple(KINDS))
    command.add_argument("account")
    command.add_argument("customer")
    command.add_argument("--invoice", default="", help="one invoice; without it all of the customer's")
    command.add_argument("--until", help="the end of a snooze or an exclusion, with its zone: 2026-12-24T18:00:00+01:00")
    command.add_argument("--who", required=True, help="who gives the command; recorded")
    command.add_argument("--why", default="", help="the reason; written down")
    bounces = commands.add_parser("bounces", help="read the mailbox of returned mails (DUNLIN_BOUNCE_MAILBOX_URL)")
    bounces.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="poll at this interval until stopped; without it once")
    cards = commands.add_parser("expiring", help="scan for cards that expire before the next charge")
    cards.add_argument("accounts", nargs="*", help="the accounts to scan; all without one")
    cards.add_argument(
        "--every", type=float, default=0.0, metavar="SECONDS", help="scan again after this much business time; without it once"
    )
    _consent_parser(commands.add_parser("consent", help="say that a customer agreed to texts, or no longer does"))
    return every


def _consent_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account")
    parser.add_argument("customer")
    parser.add_argument("--proof", default="", help="where it is recorded that the customer agreed; written down")
    parser.add_argument("--zone", default="", help="the customer's time zone: Europe/Berlin")
    parser.add_argument("--country", default="", help="the country of their number: DE")
    parser.add_argument("--withdraw", metavar="WHY", help="the customer no longer agrees")


def _policy_parser(parser: argparse.ArgumentParser) -> None:
    changes = parser.add_subparsers(dest="change", required=True)
    publish = changes.add_parser("publish", help="put a document in force, or the draft that is being tried")
    publish.add_argument("account")
    publish.add_argument("--file", type=Path, help="the TOML document; without it the draft")
    attempt = changes.add_parser("try", help="try a document on paper beside the policy in force")
    attempt.add_argument("account")
    attempt.add_argument("--file", type=Path, help="the TOML document; without it no draft is tried any more")
    rollback = changes.add_parser("rollback", help="publish an older version again, as the next one")
    rollback.add_argument("account")
    rollback.add_argument("number", type=int)
    for change in (publish, attempt, rollback):
        change.add_argument("--who", required=True, help="who decided it; written down")
        change.add_argument("--why", default="", help="the reason; written down")


def _replay_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", help="messages by name, such as streams-2-15")
    parser.add_argument("--topic", default="", help="a stage, a parking topic, or the topic that the messages came from")
    parser.add_argument("--reason", default="", help="a part of why they were parked")
    parser.add_argument("--since", help="parked at or after this time, with its zone")
    parser.add_argument("--until", help="parked before this time, with its zone")
    parser.add_argument("--all", action="store_true", help="every message that is parked; needed when nothing else is named")
    parser.add_argument("--again", action="store_true", help="also those that were replayed before")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument("--who", required=True, help="who gives the command; recorded")
    parser.add_argument("--why", default="", help="the reason; written down")
