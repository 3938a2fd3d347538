"""Handlers of suppression: bounces, complaints, unsubscribes, consents (B53, B56)."""

from recovery.contracts import facts
from recovery.contracts.customer import Case, Consent, ContactState
from recovery.decide.handlers.collection.case_closing import abandon
from recovery.decide.handlers.messages.dunning import refused
from recovery.decide.rules import contactability
from recovery.decide.rules.event_order import older
from recovery.decide.transition import Transition
from recovery.ids import kind_of
from recovery.vocabulary import Medium


def bounced(turn: Transition, fact: facts.MessageBounced) -> None:
    """A hard bounce suppresses the medium when no recipient is left; a soft one, or one of several contacts, is only recorded (B56)."""
    if fact.hard and (fact.remaining == 0 or (fact.remaining < 0 and not fact.contact)):
        known = _contact(turn)
        known.bounced_at = known.bounced_at | {fact.medium: max(fact.occurred_at, known.bounced_at.get(fact.medium, fact.occurred_at))}
        _suppress(turn, fact.medium, "bounced", {"why": fact.why, "message": fact.message})
    elif fact.hard:
        _record(turn, "other_contact_bounced" if fact.contact else "first_contact_bounced", fact.medium, {"why": fact.why})
    else:
        _record(turn, "soft_bounce", fact.medium, {"why": fact.why})


def complained(turn: Transition, fact: facts.MessageComplained) -> None:
    """A complaint closes the medium."""
    _suppress(turn, fact.medium, "complained", {"message": fact.message})


def suppressed(turn: Transition, fact: facts.ContactSuppressed) -> None:
    """A customer unsubscribed. Whether an unsubscribe from billing mails is honoured is the policy's decision; it is recorded anyway."""
    _suppress(turn, fact.medium, fact.why, {"who": fact.who})


def allowed(turn: Transition, fact: facts.ContactAllowed) -> None:
    """The suppression is lifted."""
    lift(turn, None if fact.medium == "all" else fact.medium, "allowed", {"who": fact.who, "why": fact.why})


def consented(turn: Transition, fact: facts.ConsentGiven) -> None:
    """A consent is kept with its proof; one that is older than a withdrawal is not one."""
    consent = Consent(fact.occurred_at, fact.proof, fact.zone, fact.country)
    holds = contactability.agree(_contact(turn), fact.medium, fact.occurred_at, consent)
    _record(turn, "consent_given" if holds else "consent_outdated", fact.medium, {"proof": fact.proof})


def withdrawn(turn: Transition, fact: facts.ConsentWithdrawn) -> None:
    """STOP ends the medium it came by, and only that; what is under way by it is taken back."""
    contactability.withdraw(_contact(turn), fact.medium, fact.occurred_at)
    _record(turn, "consent_withdrawn", fact.medium, {"why": fact.why})
    for case in _active(turn):
        if fact.medium == "sms":
            case.sms_at = None
        if (
            case.pending_effect is not None
            and case.pending_effect.kind == "message"
            and (kind_of(case.pending_effect.effect) == "sms") == (fact.medium == "sms")
        ):
            turn.withdraw(case, "consent_withdrawn")


def address_changed(turn: Transition, fact: facts.CustomerChanged) -> None:
    """A new address ends the suppression of a bounce, unless the mail bounced after the change: that bounce is of the new address (B3)."""
    known = turn.row.contact
    bounced_at = known.bounced_at.get("email") if known is not None else None
    if bounced_at is not None and older(fact.occurred_at, bounced_at):
        turn.noop_reason = "older_than_known"
    else:
        lift(turn, "email", "address_changed", {}, only="bounced")


def lift(turn: Transition, medium: str | None, because: str, details: dict[str, str], *, only: str = "") -> None:
    """End the suppression of a medium, of all when None; with `only`, just what was for that reason."""
    known = turn.row.contact
    before = known.suppressed if known is not None else {}
    left = {name: _without(whys, only) if medium in {None, name} else whys for name, whys in before.items()}
    gone = [name for name, whys in before.items() if left[name] != whys]
    if known is None or not gone:
        turn.noop_reason = "not_suppressed"
        return
    known.suppressed = {name: whys for name, whys in left.items() if whys}
    known.bounced_at = {name: at for name, at in known.bounced_at.items() if "bounced" in left.get(name, "").split()}
    if known == ContactState():
        turn.row.contact = None
    _record(turn, because, " ".join(gone), details)


def _without(whys: str, reason: str) -> str:
    """The reasons but this one; none when no reason is named."""
    return " ".join(why for why in whys.split() if reason not in {"", why})


def _suppress(turn: Transition, medium: str, why: str, details: dict[str, str]) -> None:
    """The latest reason goes first and hides no other: when a bounce is over, an earlier complaint or unsubscribe still applies."""
    known = _contact(turn)
    known.suppressed = {**known.suppressed, medium: f"{why} {_without(known.suppressed.get(medium, ''), why)}".rstrip()}
    _record(turn, why, medium, details)
    for case in _active(turn):
        _silence(turn, case)


def _silence(turn: Transition, case: Case) -> None:
    """What is under way is taken back. A case that only waited for its mails goes on by SMS, or is given up at its next step."""
    if case.pending_effect is not None and case.pending_effect.kind == "message":
        medium: Medium = "sms" if kind_of(case.pending_effect.effect) == "sms" else "email"
        if not contactability.suppressed(turn.row.contact, medium, turn.policy):
            return
        joined = bool(case.pending_effect.lead)
        turn.withdraw(case, "suppressed")
        if medium == "email":
            case.dunning_step, case.dunning_at = case.dunning_step - 1, turn.now
            if joined:
                turn.record("dunning_skipped", case, "joined_mail_withdrawn", details={"step": str(case.dunning_step + 1)})
    why = refused(turn, case)
    if why and case.dunning_from is not None and case.pending_effect is None and case.retry_at is None:
        abandon(turn, case, why)


def _contact(turn: Transition) -> ContactState:
    if turn.row.contact is None:
        turn.row.contact = ContactState()
    return turn.row.contact


def _active(turn: Transition) -> list[Case]:
    return [case for case in turn.row.cases.values() if case.active]


def _record(turn: Transition, reason: str, medium: str, details: dict[str, str]) -> None:
    filled = {"medium": medium} | {name: value for name, value in details.items() if value}
    # What came back names the message that it came from, so that the message's own record shows it.
    came_back = isinstance(turn.fact, (facts.MessageBounced, facts.MessageComplained))
    turn.record_unscoped("contact_changed", reason, details=filled, effect=turn.fact.cause if came_back else "")
