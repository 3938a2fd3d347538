"""What a draft of a policy would have decided otherwise, read from the events and gathered by kind of difference."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from recovery.contracts.warehouse import DATABASE, EVENTS_TABLE

LONGEST = 50
"""The most kinds of difference that are described; the rest is counted."""

_SIDES = ("in_force", "draft")
_WITHOUT_TIMES = ", ".join(f"replaceRegexpAll(details['{side}'], ' at [0-9]{{4}}-[0-9T:.+-]+', ' at ...') AS {side}" for side in _SIDES)
_RETRIES = ", ".join(
    f"parseDateTime64BestEffortOrNull(extract(details['{side}'], 'retry at ([0-9T:.+-]+)')) AS retry_{side}" for side in _SIDES
)
_QUERY = f"""
SELECT {_WITHOUT_TIMES}, count() AS decisions, uniqExact(customer, invoice) AS cases, argMax(invoice, occurred_at) AS example,
    quantileExactIf(0.5)(ifNull(dateDiff('second', retry_in_force, retry_draft), 0), isNotNull(retry_in_force) AND isNotNull(retry_draft))
        AS later
FROM (
    SELECT *, {_RETRIES} FROM {DATABASE}.{EVENTS_TABLE}
    WHERE account = {{account:String}} AND event_type = 'shadow_decision_differed' AND occurred_at >= {{since:DateTime64(6, 'UTC')}}
)
GROUP BY in_force, draft ORDER BY decisions DESC, in_force, draft
"""  # noqa: S608 - only names of ours are put in
_CASES = (
    f"SELECT uniqExact(invoice) FROM {DATABASE}.{EVENTS_TABLE} WHERE account = {{account:String}} AND invoice != '' "  # noqa: S608 - as above
    "AND sequence > 0 AND occurred_at >= {since:DateTime64(6, 'UTC')}"
)


class ShadowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that differ in the same way. `later_seconds` is by how much the draft's next retry is later, in the middle of all."""

    in_force: str
    draft: str
    decisions: int
    cases: int
    example: str
    later_seconds: int

    @property
    def only_times(self) -> bool:
        """Whether both decide the same, at other times."""
        return self.in_force == self.draft


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """All differences since a moment of business time; `cases` is how many cases anything happened to since then."""

    account: str
    since: datetime
    cases: int
    decisions: int
    differences: tuple[ShadowDifference, ...]


def report(client: Any, account: str, since: datetime | None) -> ShadowReport:
    """What the draft would have decided otherwise since then, the most frequent difference first."""
    moment = since or datetime.fromtimestamp(0, UTC)
    parameters = {"account": account, "since": moment}
    rows = list(client.query(_QUERY, parameters=parameters).named_results())
    found = [
        ShadowDifference(
            in_force=row["in_force"],
            draft=row["draft"],
            decisions=row["decisions"],
            cases=row["cases"],
            example=row["example"],
            later_seconds=int(row["later"] or 0),
        )
        for row in rows
    ]
    cases = client.query(_CASES, parameters=parameters).result_rows[0][0]
    return ShadowReport(
        account=account, since=moment, cases=cases, decisions=sum(one.decisions for one in found), differences=tuple(found[:LONGEST])
    )


def in_words(difference: ShadowDifference) -> str:
    """How the draft differs, in a sentence."""
    hours = difference.later_seconds / 3600
    moved = f"; its retry {abs(hours):.1f} h {'later' if hours > 0 else 'earlier'}" if difference.later_seconds else ""
    if difference.only_times:
        return f"the same at another time: {difference.draft}{moved}"
    return f"{difference.draft}, not {difference.in_force}{moved}"
