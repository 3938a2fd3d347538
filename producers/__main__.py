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

from control.lookup import Tenants
from control.policies import Hand, checked
from control.policy_file import FILE, PolicyFile
from producers.arguments import parser
from producers.commands import asked, moment
from producers.mailboxes import MailboxFailed
from recovery.adapters.clock import ScaledClock, business_clock, wall
from recovery.adapters.kafka import NotDelivered, Publisher
from recovery.adapters.kafka_cluster import Cluster, cluster
from recovery.adapters.kafka_trouble import check
from recovery.adapters.logs import set_up
from recovery.adapters.progress import Report, teller
from recovery.config import Settings, from_env
from recovery.contracts.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS
from recovery.ids import stream_key
from recovery.vocabulary import Clock

if TYPE_CHECKING:
    from producers.pace import Wait
    from producers.policies import PolicyBook

log = logging.getLogger("producers")


def main() -> int:
    """Run one of the producers; answers the exit code: 0, or 1 with the reason on standard error."""
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

    from producers.delivery import KafkaDelivery
    from producers.doors import intake
    from producers.gateway import Gateway
    from producers.gateway_metrics import GatewayMetrics
    from producers.http_bounds import Limits
    from producers.serve import serve

    delivery = KafkaDelivery(_named_kafka(settings))  # asks the broker itself, before it listens
    tenants, metrics = Tenants.load(settings.tenants), GatewayMetrics()
    gateway = Gateway(tenants, delivery, wall, metrics, intake(settings, tenants, delivery, metrics))
    address = (settings.gateway_host, settings.gateway_port)
    with socket.create_server(address, backlog=2048, reuse_port=settings.gateway_shares_port) as listener:
        host, port = listener.getsockname()[:2]

        def listening() -> None:
            log.info("gateway listens on http://%s:%d", host, port)
            _ready(settings, f"{host}:{port}\n")

        uvloop.run(serve(gateway, delivery, listener, listening, Limits(proxies=settings.gateway_proxies)))


def _ticker(settings: Settings, _: argparse.Namespace) -> None:
    from producers.every_partition import EveryPartition
    from producers.ticker import LOOK_SECONDS, STEPPED_LOOK_SECONDS, Ticker, run

    stop, business = _stop(), business_clock(settings.clock_file)
    everywhere = EveryPartition(_kafka(settings))
    stepped = _stepped(business)
    ticker = Ticker(everywhere, business, wall, settings.tick_seconds, time.monotonic, stepped, _progress(settings, "ticker"))
    log.info("ticker writes the time to %d partitions", everywhere.count)
    _ready(settings, "")
    usual = LOOK_SECONDS if settings.clock_file else settings.tick_seconds
    run(ticker, stop.wait, lambda: STEPPED_LOOK_SECONDS if stepped() else usual)


def _policies(settings: Settings, arguments: argparse.Namespace) -> None:
    tenants = Tenants.load((arguments.tenants or settings.tenants).absolute())
    book, business = _book(settings, tenants), business_clock(settings.clock_file)
    for account in tenants.accounts():
        version = book.follow_file(account, business(), wall())
        print(f"{account}: policy {version.number}, mode {version.policy.mode}")


def _book(settings: Settings, tenants: Tenants) -> "PolicyBook":
    from producers.every_partition import EveryPartition, cluster_id
    from producers.policies import PolicyBook

    bootstrap = _kafka(settings)
    return PolicyBook(PolicyFile(settings.home / FILE), cluster_id(bootstrap), EveryPartition(bootstrap), tenants)


def _policy(settings: Settings, arguments: argparse.Namespace) -> None:
    tenants, account = Tenants.load(settings.tenants), arguments.account
    document = checked(arguments.file.read_text()) if getattr(arguments, "file", None) else None
    tenants.tenant(account)
    book = _book(settings, tenants)
    hand = Hand(who=arguments.who, why=arguments.why, business=business_clock(settings.clock_file)(), wall=wall())
    if arguments.change == "publish":
        version = book.publish(account, document, hand)
    elif arguments.change == "rollback":
        version = book.roll_back(account, arguments.number, hand)
    else:
        version = book.try_out(account, document, hand)
        print(f"{account}: {'a draft is tried on paper beside' if document else 'no draft is tried beside'} policy {version.number}")
        return
    if version.published_at != hand.wall:
        print(f"{account}: policy {version.number} says so already; nothing is published")
        return
    asked = version.document.mode
    but = "" if asked == version.policy.mode else f" ({asked} is asked for; act_on_live is not set in {settings.tenants.name})"
    print(f"{account}: policy {version.number} is in force, mode {version.policy.mode}{but}")


def _switch(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.every_partition import EveryPartition
    from producers.policies import EVERY_ACCOUNT, set_switch

    if arguments.account != EVERY_ACCOUNT:
        _refuse_unknown(settings, arguments.account)
    everywhere = EveryPartition(_kafka(settings))
    set_switch(everywhere, arguments.account, arguments.action, arguments.who, arguments.why, business_clock(settings.clock_file)(), wall())
    print(f"{arguments.account}: {arguments.action}d")


def _command(settings: Settings, arguments: argparse.Namespace) -> None:
    _refuse_unknown(settings, arguments.account)
    about = (arguments.account, arguments.customer, arguments.invoice)
    until = moment(arguments.until) if arguments.until else None
    fact = asked(arguments.kind, about, until, arguments.who, arguments.why, business_clock(settings.clock_file)(), wall())
    _tell(settings, fact)
    print(f"asked: {arguments.kind} for {arguments.invoice or arguments.customer}; the case's events tell the answer")


def _replay(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.replay import Asked, Replay
    from producers.replay_run import Run
    from recovery.adapters.parked import ParkingLot, Wanted

    since, until = (moment(text) if text else None for text in (arguments.since, arguments.until))
    wanted = Wanted(names=tuple(arguments.names), topic=arguments.topic, reason=arguments.reason, since=since, until=until)
    if wanted.anything and not arguments.all:
        raise ValueError("Name messages, a topic, a reason or a time; --all means every message that is parked.")
    bootstrap = _kafka(settings)
    asked = Asked(who=arguments.who, why=arguments.why, business=business_clock(settings.clock_file)(), wall=wall())
    lot = ParkingLot(bootstrap)
    try:
        replay = Replay(Tenants.load(settings.tenants), lot.message, Publisher(bootstrap))
        run = Run(replay, asked, again=arguments.again, dry=arguments.dry_run)
        found = lot.find(wanted, lambda read: print(f"{read:,} parked messages read", file=sys.stderr))
        if not run.all(found):
            raise ValueError("Not all of them could be put back; the rest stays where it is.")
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
    _tell(settings, fact)
    print(f"{customer}: {'no longer agrees' if arguments.withdraw is not None else 'agreed'} to texts")


def _bounces(settings: Settings, arguments: argparse.Namespace) -> None:
    from control.link_keys import link_keys
    from control.lookup import Contacts
    from producers.bounces import look
    from producers.mail_facts import Whose
    from producers.mailboxes import opened
    from recovery.links import Links

    if not settings.bounces_url:
        raise ValueError("DUNLIN_BOUNCES_URL is not set; give imaps://user:password@host/Folder or maildir:/folder.")
    whose = Whose(Links(link_keys(settings.link_secret_file)), Contacts(settings.contacts_url))
    publisher, tenants = Publisher(_kafka(settings)), Tenants.load(settings.tenants)
    business = business_clock(settings.clock_file)

    def once() -> None:
        look(lambda: opened(settings.bounces_url), whose, tenants.accounts(), publisher, business, wall)

    _again(settings, once, arguments.every)


def _expiring(settings: Settings, arguments: argparse.Namespace) -> None:
    from producers.expiring import ExpiringCards
    from producers.pace import in_business_time

    logging.getLogger("stripe").setLevel(logging.WARNING)  # it tells every page of every list; each look has a line of ours
    tenants, business = Tenants.load(settings.tenants), business_clock(settings.clock_file)
    cards = ExpiringCards(Publisher(_kafka(settings)), business, wall, settings.stripe_api_base)

    def once() -> None:
        cards.look_through(arguments.accounts or tenants.accounts(), tenants.api_key, lambda line: print(line, flush=True))

    told = _progress(settings, "expiring")
    _again(settings, once, arguments.every, lambda wait: in_business_time(business, wait, _stepped(business), told))


def _again(settings: Settings, once: Callable[[], None], every: float, paced: "Callable[[Wait], Wait]" = lambda wait: wait) -> None:
    """Do it once, or every so many seconds until stopped; `paced` says by which clock they are counted."""
    from producers.bounces import look_until

    if not every:
        once()
        return
    stop = _stop()
    _ready(settings, "")
    look_until(once, paced(stop.wait), every)


def _stepped(business: Clock) -> Callable[[], bool]:
    """Whether business time passes in steps at present; never where it is wall time."""
    return lambda: isinstance(business, ScaledClock) and business.stepped


def _progress(settings: Settings, name: str) -> Callable[..., None]:
    """What tells, in a sandbox run, up to which business time a program has acted, and when it will do so again."""
    tell, process = teller(settings.clock_file, name), str(os.getpid())

    def told(at: datetime, again: datetime | None = None) -> None:
        if tell is not None:
            tell(Report(process=process, at=at.timestamp(), next=again.timestamp() if again else 0.0))

    return told


def _stop() -> threading.Event:
    """Set once the process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _tell(settings: Settings, fact: Fact) -> None:
    publisher = Publisher(_kafka(settings))
    publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
    publisher.flush()


def _refuse_unknown(settings: Settings, account: str) -> None:
    try:
        tenants = Tenants.load(settings.tenants)
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
