"""What was told about whether the customer may be written to: bounces, complaints, wishes, consents (B53, B56)."""

from recovery.contracts import facts
from recovery.contracts.customer import Case, Consent, Contact
from recovery.decide import contact
from recovery.decide.dunning import refused
from recovery.decide.endings import abandon
from recovery.decide.order import older
from recovery.decide.turn import Turn
from recovery.ids import kind_of
from recovery.vocabulary import Medium


def bounced(turn: Turn, fact: facts.MessageBounced) -> None:
    """A hard bounce closes the medium when it leaves nobody to write to; a soft one, or one of several contacts, is only told (B56)."""
    if fact.hard and (fact.remaining == 0 or (fact.remaining < 0 and not fact.contact)):
        known = _contact(turn)
        known.bounced_at = known.bounced_at | {fact.medium: max(fact.occurred_at, known.bounced_at.get(fact.medium, fact.occurred_at))}
        _suppress(turn, fact.medium, "bounced", {"why": fact.why, "message": fact.message})
    elif fact.hard:
        _tell(turn, "other_contact_bounced" if fact.contact else "first_contact_bounced", fact.medium, {"why": fact.why})
    else:
        _tell(turn, "soft_bounce", fact.medium, {"why": fact.why})


def complained(turn: Turn, fact: facts.MessageComplained) -> None:
    """A complaint closes the medium."""
    _suppress(turn, fact.medium, "complained", {"message": fact.message})


def suppressed(turn: Turn, fact: facts.ContactSuppressed) -> None:
    """Somebody asked for silence. Whether a wish to get no billing mail is followed is the policy's decision; it is recorded anyway."""
    _suppress(turn, fact.medium, fact.why, {"who": fact.who})


def allowed(turn: Turn, fact: facts.ContactAllowed) -> None:
    """The suppression is lifted."""
    lift(turn, None if fact.medium == "all" else fact.medium, "allowed", {"who": fact.who, "why": fact.why})


def consented(turn: Turn, fact: facts.ConsentGiven) -> None:
    """A consent is kept with its proof; one that is older than a withdrawal is not one."""
    consent = Consent(fact.occurred_at, fact.proof, fact.zone, fact.country)
    holds = contact.agree(_contact(turn), fact.medium, fact.occurred_at, consent)
    _tell(turn, "consent_given" if holds else "consent_outdated", fact.medium, {"proof": fact.proof})


def withdrawn(turn: Turn, fact: facts.ConsentWithdrawn) -> None:
    """STOP ends the medium it came by, and only that; what is under way by it is taken back."""
    contact.withdraw(_contact(turn), fact.medium, fact.occurred_at)
    _tell(turn, "consent_withdrawn", fact.medium, {"why": fact.why})
    for case in _active(turn):
        if fact.medium == "sms":
            case.sms_at = None
        if case.flight is not None and case.flight.kind == "message" and (kind_of(case.flight.effect) == "sms") == (fact.medium == "sms"):
            turn.withdraw(case, "consent_withdrawn")


def address_changed(turn: Turn, fact: facts.CustomerChanged) -> None:
    """A new address ends the suppression of a bounce, unless the mail bounced after the change: that bounce is of the new address (B3)."""
    known = turn.row.contact
    bounced_at = known.bounced_at.get("email") if known is not None else None
    if bounced_at is not None and older(fact.occurred_at, bounced_at):
        turn.note = "older_than_known"
    else:
        lift(turn, "email", "address_changed", {}, only="bounced")


def lift(turn: Turn, medium: str | None, because: str, details: dict[str, str], *, only: str = "") -> None:
    """End the suppression of a medium, of all when None; with `only`, just what was for that reason."""
    known = turn.row.contact
    before = known.suppressed if known is not None else {}
    left = {name: _without(whys, only) if medium in {None, name} else whys for name, whys in before.items()}
    gone = [name for name, whys in before.items() if left[name] != whys]
    if known is None or not gone:
        turn.note = "not_suppressed"
        return
    known.suppressed = {name: whys for name, whys in left.items() if whys}
    known.bounced_at = {name: at for name, at in known.bounced_at.items() if "bounced" in left.get(name, "").split()}
    if known == Contact():
        turn.row.contact = None
    _tell(turn, because, " ".join(gone), details)


def _without(whys: str, reason: str) -> str:
    """The reasons but this one; none when no reason is named."""
    return " ".join(why for why in whys.split() if reason not in {"", why})


def _suppress(turn: Turn, medium: str, why: str, details: dict[str, str]) -> None:
    """The latest reason goes first and hides no other: when a bounce is over, a complaint or a wish before it still holds."""
    known = _contact(turn)
    known.suppressed = {**known.suppressed, medium: f"{why} {_without(known.suppressed.get(medium, ''), why)}".rstrip()}
    _tell(turn, why, medium, details)
    for case in _active(turn):
        _silence(turn, case)


def _silence(turn: Turn, case: Case) -> None:
    """What is under way is taken back. A case that only waited for its mails goes on by SMS, or is given up at its next step."""
    if case.flight is not None and case.flight.kind == "message":
        medium: Medium = "sms" if kind_of(case.flight.effect) == "sms" else "email"
        if not contact.suppressed(turn.row.contact, medium, turn.policy):
            return
        joined = bool(case.flight.lead)
        turn.withdraw(case, "suppressed")
        if medium == "email":
            case.dunning_step, case.dunning_at = case.dunning_step - 1, turn.now
            if joined:
                turn.tell("dunning_skipped", case, "joined_mail_withdrawn", details={"step": str(case.dunning_step + 1)})
    why = refused(turn, case)
    if why and case.dunning_from is not None and case.flight is None and case.retry_at is None:
        abandon(turn, case, why)


def _contact(turn: Turn) -> Contact:
    if turn.row.contact is None:
        turn.row.contact = Contact()
    return turn.row.contact


def _active(turn: Turn) -> list[Case]:
    return [case for case in turn.row.cases.values() if case.active]


def _tell(turn: Turn, reason: str, medium: str, details: dict[str, str]) -> None:
    said = {"medium": medium} | {name: value for name, value in details.items() if value}
    # What came back names the message that it came from, so that the message's own record shows it.
    came_back = isinstance(turn.fact, (facts.MessageBounced, facts.MessageComplained))
    turn.tell_row("contact_changed", reason, details=said, effect=turn.fact.cause if came_back else "")
