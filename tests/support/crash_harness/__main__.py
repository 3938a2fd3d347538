"""`make prove-effects`: the effects sink is killed at random moments between claim and settle, over all media.

Real Kafka, the sandbox's Stripe and mail catcher, servers that speak the other media's protocols; every line is slow both ways, so that
a kill falls before, amid and after what it interrupts. Prints each kill, then the breaches, and as the last line one JSON object.
Leaves with 1 when a charge was made twice, an effect was lost, or an outcome does not tell what happened.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from recovery.adapters.kafka import create_topics
from tests.support.crash_harness.proof import MOST_MISSED, Kill, Proof
from tests.support.crash_harness.stage import stage
from tests.support.services.own_servers import kafka_server
from tests.support.services.postgres import Postgres, programs

CUSTOMERS_PER_KILL = 120
"""Of a hundred and twenty of the sandbox's customers thirteen have a failed invoice after three weeks; a kill needs ten or so."""


def main() -> int:
    """Prove, print, answer the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=110)
    arguments.add_argument("--seed", type=int, default=20261124)
    arguments.add_argument("--ledger", choices=("sqlite", "postgresql"), default="sqlite")
    options = arguments.parse_args()
    began = time.monotonic()
    print("starting a broker and a sandbox in which three weeks pass (about 20 s)", flush=True)
    with kafka_server() as kafka, tempfile.TemporaryDirectory(prefix="dunlin-kills-") as home, _ledger(options.ledger) as ledger:
        create_topics(kafka, "dunlin", 4, 1)
        customers = max(2600, (options.kills + MOST_MISSED) * CUSTOMERS_PER_KILL)  # a kill that misses its medium needs invoices, too
        with stage(kafka, Path(home), options.seed, customers, ledger) as world:
            proof = Proof(world)
            proof.run(options.kills, lambda number, kill: _tell(number, options.kills, kill, time.monotonic() - began))
            print("letting a last process do what is left", flush=True)
            verdict = proof.judge()
    for breach in verdict.breaches + [f"{effect}: lost" for effect in verdict.lost]:
        print(breach)
    figures = {
        "kills": verdict.kills,
        "ledger": options.ledger,
        "duplicate_charges": verdict.duplicate_charges,
        "lost_effects": len(verdict.lost),
        "doubts": sum(verdict.doubts.values()),
        "breaches": len(verdict.breaches),
        "doubts_by_medium": verdict.doubts,
        "told_unknown": verdict.unknown,
        "effects": verdict.effects,
        "kills_that_missed_their_medium": verdict.missed,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(figures))
    return 1 if verdict.duplicate_charges or verdict.lost or verdict.breaches else 0


@contextlib.contextmanager
def _ledger(kind: str) -> Iterator[str]:
    """The URL of an empty ledger; empty for the usual one."""
    folder = programs()
    if kind == "sqlite":
        yield ""
    elif folder is None:
        sys.exit("PostgreSQL is not installed; apt-get install postgresql, or take the ledger in SQLite")
    else:
        with Postgres(folder) as server:
            yield server.new_database()


def _tell(number: int, of: int, kill: Kill, seconds: float) -> None:
    found = f"{len(kill.claimed)} effects between claim and settle"
    print(f"{seconds:4.0f} s  kill {number}/{of} amid {kill.aimed_at}: {found}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
