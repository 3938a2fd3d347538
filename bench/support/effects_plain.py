"""The baseline of bench/effects.py: the same performers and threads between the same topics, and no ledger. A crash would lose effects."""

import logging
import os
import queue
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from control.tenants import ContactStore, TenantDirectory  # noqa: E402 - the path of the checkout is set above
from recovery.adapters import logs  # noqa: E402
from recovery.adapters.clock import business_clock, wall  # noqa: E402
from recovery.adapters.kafka import Publisher, consumer  # noqa: E402
from recovery.config import Settings, from_env  # noqa: E402
from recovery.contracts.effects import Effect  # noqa: E402
from recovery.contracts.encoding.codec import decode_effect  # noqa: E402
from sinks.effects.accounts import AccountView  # noqa: E402
from sinks.effects.engine.dispatcher import outgoing  # noqa: E402
from sinks.effects.engine.ledger import Outgoing  # noqa: E402
from sinks.effects.engine.receiver import BATCH, TOPICS  # noqa: E402
from sinks.effects.engine.worker_pools import WORKERS, kind_of_work, work  # noqa: E402
from sinks.effects.mail.email import EmailPerformer  # noqa: E402
from sinks.effects.performer import Clocks, EffectRun, Performer, Settled  # noqa: E402
from sinks.effects.performers import post  # noqa: E402
from sinks.effects.stripe.charges import Charges  # noqa: E402
from sinks.effects.stripe.client import EffectsStripeClient  # noqa: E402


def main() -> None:
    """Perform until stopped."""
    settings = from_env(os.environ)
    logs.set_up(settings.log_level)
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    clocks = Clocks(business_clock(settings.clock_file), wall)
    doers = by_kind(settings, clocks)
    pools = {lane: ThreadPoolExecutor(number) for lane, number in WORKERS.items()}
    done: queue.SimpleQueue[Outgoing] = queue.SimpleQueue()
    reader, publisher = consumer(settings.kafka_bootstrap, f"{settings.app_id}-effects"), Publisher(settings.kafka_bootstrap)
    reader.subscribe(list(TOPICS))
    while not stopping:
        for message in reader.consume(BATCH, 0.01):
            if message.error() is None:
                effect = decode_effect(message.value())
                pools[work(kind_of_work(effect)).lane].submit(perform, doers[kind_of_work(effect)], effect, clocks, done)
        told = 0
        while not done.empty():
            out = done.get()
            publisher.send(out.topic, out.key, out.value)
            told += 1
        if told:
            publisher.flush()


def by_kind(settings: Settings, clocks: Clocks) -> dict[str, Performer]:
    """The product's own performers of what this bench asks for."""
    settings.home.mkdir(parents=True, exist_ok=True)
    accounts = AccountView(TenantDirectory.load(settings.tenants_file))
    door = EffectsStripeClient(accounts, settings.stripe_api_base)
    return {
        "charge_requested": Charges(door, accounts, clocks),
        "message_requested": EmailPerformer(door, accounts, ContactStore(settings.contacts_url), post(settings), clocks),
    }


def perform(performer: Performer, effect: Effect, clocks: Clocks, done: "queue.SimpleQueue[Outgoing]") -> None:
    """Do it once, believing that nothing goes wrong."""
    answer = performer(EffectRun(effect=effect, claim=clocks.business))
    assert isinstance(answer, Settled), answer
    done.put(outgoing(effect, answer.fact))


if __name__ == "__main__":
    main()
