"""`python -m producers gateway | ticker | policies [tenants.toml] | policy publish|try|rollback ACCOUNT | switch ACCOUNT pause|resume |
command KIND ACCOUNT CUSTOMER | replay [NAME ...] | bounces | consent ACCOUNT CUSTOMER |
expiring [ACCOUNT ...]`.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from control.policy_history import ChangeAuthor, checked
from control.policy_store import FILE, PolicyStore
from control.tenants import TenantDirectory
from producers.cli import parser
from producers.commands import build_command, moment
from producers.mailbox.mailboxes import MailboxFailed
from recovery.adapters.clock import ScaledClock, business_clock, wall
from recovery.adapters.kafka import NotDelivered, Publisher
from recovery.adapters.kafka_cluster import Cluster, cluster
from recovery.adapters.kafka_trouble import check
from recovery.adapters.logs import set_up
from recovery.adapters.progress import ProgressReport, progress_reporter
from recovery.config import Settings, from_env
from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS
from recovery.ids import stream_key
from recovery.vocabulary import Clock

if TYPE_CHECKING:
    from producers.policy.publisher import PolicyPublisher
    from producers.scans.business_time_wait import Wait

log = logging.getLogger("producers")


def main() -> int:
    """Run one of the producers. Returns the exit code: 0, or 1 with the reason on standard error."""
    arguments = parser().parse_args()
    try:
        settings = from_env(os.environ)
        set_up(settings.log_level)
        RUN[arguments.command](settings, arguments)
    except (ValueError, NotDelivered, MailboxFailed, LookupError, OSError) as error:
        print(f"producers {arguments.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _named_kafka(settings: Settings) -> Cluster:
    if not settings.kafka_bootstrap:
        raise ValueError("DUNLIN_KAFKA_BOOTSTRAP is not set; give host:port of the broker (`dunlin up` sets it for its parts).")
    return cluster(settings)


def _kafka(settings: Settings) -> Cluster:
    """The cluster of the settings, which has answered. Raises KafkaUnusable."""
    found = _named_kafka(settings)
    check(found)
    return found


def _gateway(settings: Settings, _: argparse.Namespace) -> None:
    import uvloop

    from producers.gateway.http.connection_limits import Limits
    from producers.gateway.kafka_delivery import KafkaDelivery
    from producers.gateway.metrics import GatewayMetrics
    from producers.gateway.routes.enabled import intake
    from producers.gateway.serve import serve
    from producers.gateway.webhook_endpoint import Gateway

    delivery = KafkaDelivery(_named_kafka(settings))  # asks the broker itself, before it listens
    tenants, metrics = TenantDirectory.load(settings.tenants_file), GatewayMetrics()
    gateway = Gateway(tenants, delivery, wall, metrics, intake(settings, tenants, delivery, metrics))
    address = (settings.gateway_host, settings.gateway_port)
    with socket.create_server(address, backlog=2048, reuse_port=settings.gateway_shares_port) as listening_socket:
        host, port = listening_socket.getsockname()[:2]

        def listening() -> None:
            log.info("gateway listens on http://%s:%d", host, port)
            _ready(settings, f"{host}:{port}\n")

        uvloop.run(serve(gateway, delivery, listening_socket, listening, Limits(proxies=settings.gateway_proxies)))


def _ticker(settings: Settings, _: argparse.Namespace) -> None:
    from producers.policy.broadcast import EveryPartition
    from producers.ticker import CHECK_SECONDS, STEPPED_CHECK_SECONDS, Ticker, run

    stop, business = _stop(), business_clock(settings.clock_file)
    everywhere = EveryPartition(_kafka(settings))
    stepped = _stepped(business)
    ticker = Ticker(everywhere, business, wall, settings.tick_seconds, time.monotonic, stepped, _progress(settings, "ticker"))
    log.info("ticker writes the time to %d partitions", everywhere.count)
    _ready(settings, "")
    usual = CHECK_SECONDS if settings.clock_file else settings.tick_seconds
    run(ticker, stop.wait, lambda: STEPPED_CHECK_SECONDS if stepped() else usual)


def _policies(settings: Settings, arguments: argparse.Namespace) -> None:
    tenants = TenantDirectory.load((arguments.tenants or settings.tenants_file).absolute())
    book, business = _book(settings, tenants), business_clock(settings.clock_file)
    for account in tenants.accounts():
        version = book.follow_file(account, business(), wall())
        print(f"{account}: policy {version.number}, mode {version.policy.mode}")


def _book(settings: Settings, tenants: TenantDirectory) -> "PolicyPublisher":
    from producers.policy.broadcast import EveryPartition, cluster_id
    from producers.policy.publisher import PolicyPublisher

    bootstrap = _kafka(settings)
    return PolicyPublisher(PolicyStore(settings.home / FILE), cluster_id(bootstrap), EveryPartition(bootstrap), tenants)


def _policy(settings: Settings, arguments: argparse.Namespace) -> None:
    tenants, account = TenantDirectory.load(settings.tenants_file), arguments.account
    document = checked(arguments.file.read_text()) if getattr(arguments, "file", None) else None
    tenants.tenant(account)
    book = _book(settings, tenants)
    author = ChangeAuthor(who=arguments.who, why=arguments.why, business=business_clock(settings.clock_file)(), wall=wall())
    if arguments.change == "publish":
        version = book.publish(account, document, author)
    elif arguments.change == "rollback":
        version = book.roll_back(account, arguments.number, author)
    else:
        version = book.try_out(account, document, author)
        print(f"{account}: {'a draft is tried on paper beside' if document else 'no draft is tried beside'} policy {version.number}")
        return
    if version.published_at != author.wall:
        print(f"{account}: policy {version.number} says so already; nothing is published")
        return
    mode = version.document.mode
    but = "" if mode == version.policy.mode else f" ({mode} is requested; act_on_live is not set in {settings.tenants_file.name})"
    print(f"{account}: policy {version.number} is in force, mode {version.policy.mode}{but}")


def _switch(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.policy.broadcast import EveryPartition
    from producers.policy.publisher import EVERY_ACCOUNT, set_switch

    if arguments.account != EVERY_ACCOUNT:
        _refuse_unknown(settings, arguments.account)
    everywhere = EveryPartition(_kafka(settings))
    set_switch(everywhere, arguments.account, arguments.action, arguments.who, arguments.why, business_clock(settings.clock_file)(), wall())
    print(f"{arguments.account}: {arguments.action}d")


def _command(settings: Settings, arguments: argparse.Namespace) -> None:
    _refuse_unknown(settings, arguments.account)
    about = (arguments.account, arguments.customer, arguments.invoice)
    until = moment(arguments.until) if arguments.until else None
    fact = build_command(arguments.kind, about, until, arguments.who, arguments.why, business_clock(settings.clock_file)(), wall())
    _publish(settings, fact)
    target = arguments.invoice or arguments.customer
    follow = f" Follow it with `dunlin explain {arguments.invoice}`." if arguments.invoice else ""
    print(f"requested {arguments.kind} for {target}.{follow}")


def _replay(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.replay.batch import ReplayRun
    from producers.replay.facts_redrive import Replay, ReplayRequest
    from recovery.adapters.dead_letter_reader import DeadLetterFilter, DeadLetterReader

    since, until = (moment(text) if text else None for text in (arguments.since, arguments.until))
    wanted = DeadLetterFilter(names=tuple(arguments.names), topic=arguments.topic, reason=arguments.reason, since=since, until=until)
    if wanted.matches_everything and not arguments.all:
        raise ValueError("Name messages, a topic, a reason or a time; --all means every message that is parked.")
    bootstrap = _kafka(settings)
    request = ReplayRequest(who=arguments.who, why=arguments.why, business=business_clock(settings.clock_file)(), wall=wall())
    lot = DeadLetterReader(bootstrap)
    try:
        replay = Replay(TenantDirectory.load(settings.tenants_file), lot.message, Publisher(bootstrap))
        run = ReplayRun(replay, request, repeat=arguments.again, dry=arguments.dry_run)
        found = lot.find(wanted, lambda read: print(f"{read:,} parked messages read", file=sys.stderr))
        if not run.all(found):
            raise ValueError("Not all of them could be replayed; the rest stays where it is.")
    finally:
        lot.close()


def _consent(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.consents import consent, withdrawal

    account, customer, now = arguments.account, arguments.customer, business_clock(settings.clock_file)()
    _refuse_unknown(settings, account)
    if arguments.withdraw is None:
        fact: Fact = consent(account, customer, arguments.proof, arguments.zone, arguments.country, now, wall())
    else:
        fact = withdrawal(account, customer, arguments.withdraw, now, wall())
    _publish(settings, fact)
    print(f"{customer}: {'no longer agrees' if arguments.withdraw is not None else 'agreed'} to texts")


def _bounces(settings: Settings, arguments: argparse.Namespace) -> None:
    from control.link_keys import link_keys
    from control.tenants import ContactStore
    from producers.mailbox.bounce_attribution import BounceResolver
    from producers.mailbox.mailboxes import opened
    from producers.mailbox.poller import poll
    from recovery.signed_links import LinkSigner

    if not settings.bounce_mailbox_url:
        raise ValueError("DUNLIN_BOUNCE_MAILBOX_URL is not set; give imaps://user:password@host/Folder or maildir:/folder.")
    resolver = BounceResolver(LinkSigner(link_keys(settings.link_keys_file)), ContactStore(settings.contacts_url))
    publisher, tenants = Publisher(_kafka(settings)), TenantDirectory.load(settings.tenants_file)
    business = business_clock(settings.clock_file)

    def once() -> None:
        poll(lambda: opened(settings.bounce_mailbox_url), resolver, tenants.accounts(), publisher, business, wall)

    _repeat(settings, once, arguments.every)


def _expiring(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.scans.business_time_wait import in_business_time
    from producers.scans.card_expiry_scan import CardExpiryScan

    logging.getLogger("stripe").setLevel(logging.WARNING)  # it tells every page of every list; each look has a line of ours
    tenants, business = TenantDirectory.load(settings.tenants_file), business_clock(settings.clock_file)
    cards = CardExpiryScan(Publisher(_kafka(settings)), business, wall, settings.stripe_api_base)

    def once() -> None:
        cards.scan_all(arguments.accounts or tenants.accounts(), tenants.api_key, lambda line: print(line, flush=True))

    report = _progress(settings, "expiring")
    _repeat(settings, once, arguments.every, lambda wait: in_business_time(business, wait, _stepped(business), report))


def _repeat(settings: Settings, once: Callable[[], None], every: float, paced: "Callable[[Wait], Wait]" = lambda wait: wait) -> None:
    """Do it once, or every so many seconds until stopped; `paced` says by which clock they are counted."""
    from producers.mailbox.poller import poll_until

    if not every:
        once()
        return
    stop = _stop()
    _ready(settings, "")
    poll_until(once, paced(stop.wait), every)


def _stepped(business: Clock) -> Callable[[], bool]:
    """Whether business time passes in steps at present; never where it is wall time."""
    return lambda: isinstance(business, ScaledClock) and business.stepped


def _progress(settings: Settings, name: str) -> Callable[..., None]:
    """Reports, in a sandbox run, up to which business time a program has acted, and when it will act again."""
    report, process = progress_reporter(settings.clock_file, name), str(os.getpid())

    def finished(at: datetime, next_at: datetime | None = None) -> None:
        if report is not None:
            report(ProgressReport(process=process, at=at.timestamp(), next=next_at.timestamp() if next_at else 0.0))

    return finished


def _stop() -> threading.Event:
    """Set once SIGTERM or SIGINT arrived."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _publish(settings: Settings, fact: Fact) -> None:
    publisher = Publisher(_kafka(settings))
    publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
    publisher.flush()


def _refuse_unknown(settings: Settings, account: str) -> None:
    try:
        tenants = TenantDirectory.load(settings.tenants_file)
    except ValueError as error:  # a broken file must not keep anybody from pausing
        log.warning("%s", error)
        return
    tenants.tenant(account)


def _ready(settings: Settings, content: str) -> None:
    if settings.ready_file is not None:
        fresh = settings.ready_file.with_suffix(".new")
        fresh.write_text(content)
        fresh.replace(settings.ready_file)


RUN: dict[str, Callable[[Settings, argparse.Namespace], None]] = {
    "gateway": _gateway,
    "ticker": _ticker,
    "policies": _policies,
    "policy": _policy,
    "switch": _switch,
    "replay": _replay,
    "command": _command,
    "bounces": _bounces,
    "expiring": _expiring,
    "consent": _consent,
}
"""What runs each command."""

if __name__ == "__main__":
    sys.exit(main())
