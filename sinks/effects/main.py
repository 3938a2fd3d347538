"""The process `python -m sinks effects`: builds the components, recovers the effects of a former process, and loops until it is stopped."""

import logging
import os
import signal
import time
from datetime import timedelta
from types import FrameType

from confluent_kafka import KafkaException
from sqlalchemy.exc import SQLAlchemyError

from control.private_files import private_folder
from control.tenants import TenantDirectory
from recovery.adapters.clock import business_clock, wall
from recovery.adapters.kafka import Publisher, consumer
from recovery.adapters.kafka_cluster import cluster
from recovery.adapters.kafka_trouble import KafkaUnusable, check, unusable
from recovery.adapters.progress import ReadProgress
from recovery.config import Settings
from sinks.effects.accounts import AccountView
from sinks.effects.alerts.digests import Digests
from sinks.effects.engine.dispatcher import Dispatcher
from sinks.effects.engine.kill_switches import Switches
from sinks.effects.engine.ledger import Ledger
from sinks.effects.engine.outcome_publisher import OutcomePublisher
from sinks.effects.engine.ownership import LedgerTaken, Ownership
from sinks.effects.engine.receiver import EffectReceiver
from sinks.effects.performer import Clocks
from sinks.effects.performers import performers
from sinks.effects.stripe.client import EffectsStripeClient
from sinks.kafka.poll_stall_detector import ConsumerFailed

log = logging.getLogger(__name__)
EXIT_CONFIG, EXIT_FAILED = 78, 70
BUSY_POLL, IDLE_POLL = 0.01, 0.1
"""Wall seconds to wait for the log while effects are in work, and otherwise."""
KEEP = timedelta(days=60)
"""How long the ledger remembers an effect after its deadline: longer than the log keeps the effect (30 days)."""
TIDY_SECONDS = 3600.0
LEFT_OVER_SECONDS = 0.5
"""How often the ledger is read for outcomes that the broker did not accept; a turn happens a hundred times a second."""


class EffectsSink:
    """One turn after another: take in, write down, publish, start. `stop` ends it after the present turn."""

    def __init__(
        self,
        ledger: Ledger,
        inbox: EffectReceiver,
        switches: Switches,
        dispatcher: Dispatcher,
        outbox: OutcomePublisher,
        clocks: Clocks,
    ) -> None:
        self._ledger, self._inbox, self._switches, self._dispatcher, self._outbox = ledger, inbox, switches, dispatcher, outbox
        self._clocks = clocks
        self._stopping = False
        self._tidied = self._published = float("-inf")

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Finish what is in work, publish it and end."""
        self._stopping = True

    def recover(self) -> None:
        """What a former process left: claims are in doubt, outcomes are published, everything unfinished waits again."""
        self._switches.catch_up()
        doubts = self._ledger.mark_claimed_in_doubt()
        rows = self._ledger.unfinished()
        self._dispatcher.restore(rows)
        published = self._outbox.publish()
        log.info("ledger: %d unfinished effects, %d of them in doubt; %d outcomes published late", len(rows), doubts, published)

    def run(self) -> None:
        """Turn until stopped. Raises ConsumerFailed and SQLAlchemyError when going on is pointless."""
        try:
            while not self._stopping:
                self.turn()
        finally:
            self._dispatcher.close()  # before the ledger is given up: whoever owns it next must find nobody at work
        while self._outbox.publish():
            pass

    def turn(self) -> None:
        """One turn: no step of it blocks for longer than a few seconds."""
        if self._switches.poll():
            self._dispatcher.account_paused()
        batch = self._inbox.poll(BUSY_POLL if self._dispatcher.in_work else IDLE_POLL)
        self._dispatcher.add(batch.arrivals)
        self._dispatcher.withdrawn([effect for effect, _ in batch.withdrawals])
        settled = self._dispatcher.collect()
        started = self._dispatcher.start()
        self._publish(fresh=bool(settled) or batch.to_publish)
        if batch.arrivals or settled or started:
            log.debug("took %d, settled %d, started %d, waiting %d", len(batch.arrivals), settled, started, len(self._dispatcher))
        self._tidy()

    def _publish(self, fresh: bool) -> None:
        """Publish outcomes settled just now at once; those that the broker did not accept before are read from time to time."""
        if fresh or time.monotonic() - self._published >= LEFT_OVER_SECONDS:
            self._outbox.publish()
            self._published = time.monotonic()

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = time.monotonic()
        business, now = self._clocks.business() - KEEP, self._clocks.wall() - KEEP
        if gone := self._ledger.forget(business.timestamp(), now.timestamp()):
            log.info("the ledger forgot %d effects of long ago", gone)
        Digests(self._ledger).forget(business.timestamp())


def run(settings: Settings) -> int:
    """Perform effects until SIGTERM or SIGINT. Returns the exit code.

    0 after a stop, 78 when a setting or file is wrong or another process owns the ledger, 70 when the log or the ledger fails for good.
    """
    try:
        _run(settings)
    except (LedgerTaken, ValueError, FileNotFoundError) as error:
        log.error("The effects sink cannot start: %s", error)
        return EXIT_CONFIG
    except KafkaUnusable as error:
        log.error("The effects sink cannot work: %s", error)
        return EXIT_FAILED
    except KafkaException as error:
        log.error("The effects sink stops, and goes on from the ledger when it is started again. %s", unusable(cluster(settings), error))
        return EXIT_FAILED
    except (ConsumerFailed, SQLAlchemyError) as error:
        log.error("The effects sink stops: %s. Nothing is lost: it goes on from the ledger when it is started again.", error)
        return EXIT_FAILED
    return 0


def _run(settings: Settings) -> None:
    if not settings.kafka_bootstrap:
        raise ValueError("DUNLIN_KAFKA_BOOTSTRAP is not set; give host:port of the broker.")
    logging.getLogger("stripe").setLevel(logging.WARNING)  # it tells every request and answer; each effect has a line of ours
    brokers = cluster(settings)
    check(brokers)
    private_folder(settings.home)
    clocks = Clocks(business_clock(settings.clock_file), wall)
    ledger = Ledger(settings.ledger_url)
    with Ownership(ledger):
        group = f"{settings.app_id}-effects"
        # A static member: the ledger has one owner, so a process that starts again after a crash gets its partitions back at once.
        stored = ReadProgress(settings.clock_file, "effects", str(os.getpid()))
        static = {"group.instance.id": group, "enable.partition.eof": True}
        inbox = EffectReceiver(consumer(brokers, group, **static), ledger, wall, stored)
        calm = {"enable.partition.eof": True, "fetch.wait.max.ms": 500}  # a switch need not be heard within milliseconds
        switches = Switches(consumer(brokers, f"{group}-switches", **calm), ledger)
        tenants = TenantDirectory.load(settings.tenants_file)
        stripe_client = EffectsStripeClient(AccountView(tenants), settings.stripe_api_base)

        def paused(account: str) -> bool | None:
            return switches.paused(account) if inbox.current else None

        dispatcher = Dispatcher(ledger, performers(settings, stripe_client, tenants, clocks, ledger), stripe_client, clocks, paused)
        outbox = OutcomePublisher(ledger, Publisher(brokers))
        loop = EffectsSink(ledger, inbox, switches, dispatcher, outbox, clocks)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, loop.stop)
        loop.recover()
        if settings.ready_file is not None:
            settings.ready_file.touch()
        log.info("ready: performing effects of %s", settings.app_id)
        loop.run()
        inbox.close()
        switches.close()
    ledger.close()
    log.info("stopped; everything begun is settled and published")
