"""`make prove-decisions`: a million generated decisions, every one held against the promises.

Prints progress, then the breaches with the number of the life that shows each (`--life N` lives through that one alone), and as the last
line one JSON object. Leaves with 1 when a promise was broken.
"""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from tests.support.proof.life import Life

SPEAK_EVERY = 5.0
SHOWN = 5
"""How many breaches of one promise are told in words; all are counted."""


class Proof:
    """What came of the lives so far."""

    def __init__(self) -> None:
        self.lives = self.decisions = 0
        self.breaches: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def add(self, number: int, life: Life) -> None:
        """Count one life."""
        self.lives, self.decisions = self.lives + 1, self.decisions + life.decisions
        self.asked += life.watch.asked
        self.ended += life.watch.ended
        for promise, what in life.watch.breaches:
            self.breaches[promise] += 1
            shown = self.examples.setdefault(promise, [])
            if len(shown) < SHOWN:
                shown.append(f"life {number}: {what}")

    def join(self, other: "Proof") -> None:
        """Add what another process came to."""
        self.lives, self.decisions = self.lives + other.lives, self.decisions + other.decisions
        self.asked, self.ended, self.breaches = self.asked + other.asked, self.ended + other.ended, self.breaches + other.breaches
        for promise, shown in other.examples.items():
            self.examples[promise] = [*self.examples.get(promise, ()), *shown][:SHOWN]


def prove(decisions: int, seed: int, first: int = 0, last: int | None = None, every: int = 1) -> Proof:
    """Live through lives from number `first` on, each or every so many, until there are so many decisions."""
    proof, spoken = Proof(), time.monotonic()
    for number in count(first, every):
        if proof.decisions >= decisions or (last is not None and number > last):
            return proof
        proof.add(number, Life(seed, number).run())
        if time.monotonic() - spoken > SPEAK_EVERY:
            spoken = time.monotonic()
            print(f"{proof.decisions:,} of {decisions:,} decisions, {proof.lives:,} lives, {proof.breaches.total()} breaches", flush=True)
    raise AssertionError("numbers do not end")


def together(decisions: int, seed: int, processes: int) -> Proof:
    """The same by several processes, each with lives of its own."""
    whole = Proof()
    with ProcessPoolExecutor(processes) as pool:
        share = -(-decisions // processes)
        for part in [pool.submit(prove, share, seed, first, None, processes) for first in range(processes)]:
            whole.join(part.result())
    return whole


def main(arguments: list[str] | None = None) -> int:
    """Prove, tell, and answer the exit code."""
    parser = argparse.ArgumentParser(description="Generated decisions, held against the promises.")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--life", type=int, help="only this life")
    told = parser.parse_args(arguments)
    started = time.monotonic()
    if told.life is not None:
        proof = prove(told.decisions, told.seed, told.life, told.life)
    else:
        proof = together(told.decisions, told.seed, told.processes)
    for promise, number in proof.breaches.most_common():
        print(f"BROKEN {number} times: {promise}")
        print("\n".join(f"  {example}" for example in proof.examples[promise]))
    figures = {
        "decisions": proof.decisions,
        "breaches": proof.breaches.total(),
        "seconds": round(time.monotonic() - started, 1),
        "lives": proof.lives,
        "seed": told.seed,
        "asked": dict(sorted(proof.asked.items())),
        "ended": dict(sorted(proof.ended.items())),
    }
    print(json.dumps(figures))
    return 1 if proof.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
