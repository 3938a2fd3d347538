"""Prints the state diagram of a case: `python -m tests.support.case_states` for docs/architecture.md.

The diagram is not drawn by a person: generated lives (tests/support/proof) run through the decision, and each change of a case's status is
noted with the type of the fact that caused it.
"""

import sys
from collections import defaultdict
from datetime import datetime

from recovery.contracts.customer import Account, Customer
from recovery.contracts.facts import Fact
from recovery.decide.advance import Step, advance
from tests.support.proof.life import Life

LIVES, SEED = 600, 1
OUTSIDE = "[*]"
"""A case that is not there yet, or not any more."""
Change = tuple[str, str]
"""The status before and the status after."""


def changes(lives: int = LIVES, seed: int = SEED) -> dict[Change, set[str]]:
    """The types of facts that cause each change of a case's status, over so many generated lives."""
    found: dict[Change, set[str]] = defaultdict(set)

    def decide(customer: Customer | None, fact: Fact, now: datetime, account: Account) -> Step:
        before = _statuses(customer)
        step = advance(customer, fact, now, account)
        after = _statuses(step.customer)
        for invoice in before.keys() | after.keys():
            change = before.get(invoice, OUTSIDE), after.get(invoice, OUTSIDE)
            if change[0] != change[1]:
                found[change].add(type(fact).__name__)
        return step

    for number in range(lives):
        Life(seed, number, decide).run()
    return dict(found)


def diagram(found: dict[Change, set[str]]) -> str:
    """The changes as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for (before, after), facts in sorted(found.items()):
        lines.append(f"  {before} --> {after} : {', '.join(sorted(facts))}")
    return "\n".join(lines)


def _statuses(customer: Customer | None) -> dict[str, str]:
    return {} if customer is None else {invoice: case.status for invoice, case in customer.cases.items()}


if __name__ == "__main__":
    sys.stdout.write(diagram(changes()) + "\n")
