"""Handlers of an account's settings: its policy and its pause."""

from typing import Any

from recovery.contracts.customer import Account
from recovery.contracts.events import Event, EventType
from recovery.contracts.facts import PauseSet, PolicyPublished
from recovery.policy_versions import diff


def account_changed(account: Account, fact: PolicyPublished | PauseSet) -> tuple[Account, list[Event]]:
    """The account with its new policy or switch, and the event that says so; a policy older than the one in force is only noted."""
    if isinstance(fact, PauseSet):
        changed = Account(account.policy_version, account.policy, fact.paused, account.draft)
        details = {"who": fact.who, "paused": "true" if fact.paused else "false"}
        return changed, [_event("pause_set", fact, account.policy_version, fact.why, details)]
    if fact.number < account.policy_version:
        return account, [_event("fact_had_no_effect", fact, account.policy_version, "older_policy", {"who": fact.who})]
    changed = Account(fact.number, fact.policy, account.paused, fact.draft)
    details = {"who": fact.who, "mode": fact.policy.mode}
    if fact.draft is not None:
        details["draft"] = " ".join(diff(fact.policy, fact.draft)) or "no difference"
    return changed, [_event("policy_applied", fact, fact.number, fact.why, details)]


def _event(event_type: EventType, fact: PolicyPublished | PauseSet, number: int, reason: str, details: dict[str, Any]) -> Event:
    return Event(
        event_type=event_type,
        account=fact.account,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        cause=fact.id,
        cause_type=str(fact.__struct_config__.tag),
        trace=fact.trace,
        policy_version=number,
        reason=reason,
        details=details,
    )
