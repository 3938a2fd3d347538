"""Parked messages as a person reads them: a line for each, and one in full with what to try."""

import msgspec

from recovery.adapters.dead_letter_reader import HeldMessage
from recovery.contracts.dead_letters import DECIDED_ANEW, DeadLetter
from recovery.contracts.topics import FACTS
from recovery.presentation.printable import printable

BYTES_A_LINE = 16
LONGEST = 4096
"""So many bytes are shown; `--raw` writes all of them."""


class DeadLetterLine(msgspec.Struct, frozen=True, kw_only=True):
    """A parked message in a list; times are ISO 8601 in UTC."""

    name: str
    parked_at: str
    account: str
    topic: str
    why: str
    error: str
    trace: str
    size: int
    put_back: str


def line(held: HeldMessage) -> DeadLetterLine:
    """The message's line."""
    back = held.replayed
    return DeadLetterLine(
        name=str(held.place),
        parked_at=held.parked_at.isoformat(timespec="seconds"),
        account=held.account,
        topic=held.topic,
        why=held.why,
        error=held.error,
        trace=held.trace,
        size=held.size,
        put_back="" if back is None else f"{back.at.isoformat(timespec='seconds')} by {back.who}",
    )


def in_full(held: HeldMessage, parked: DeadLetter) -> str:
    """Everything about a message: where it comes from, why it is here, its bytes, and what to try."""
    summary = line(held)
    place = f"{parked.topic}, partition {parked.partition}, offset {parked.offset}" if parked.offset >= 0 else parked.topic
    fields = {
        "parked": f"{summary.parked_at} by the {parked.stage} stage",
        "from": place,
        "key": parked.key.decode(errors="backslashreplace"),
        "why": reason_of(parked.why, parked.error),
        "trace": parked.trace or "none",
        **({"left out": f"{parked.left_out:,} bytes, SHA-256 {parked.sha256}"} if parked.left_out else {}),
        "headers": ", ".join(f"{name}={value}" for name, value in parked.headers.items()) or "none",
        "replayed": summary.put_back or "not yet",
        "try": advice(held, parked),
    }
    lines = [f"{name + ':':<10}{printable(text)}" for name, text in {"message": summary.name, **fields}.items()]
    return "\n".join(lines) + "\n\n" + hexdump(parked.value)


def reason_of(why: str, error: str) -> str:
    """Why a message was parked, with the error behind it where the reason does not name it."""
    return f"{why} ({error})" if error and error not in why else why


def advice(held: HeldMessage, parked: DeadLetter) -> str:
    """What to try with a parked message."""
    replay = f"`dunlin parked replay {held.place}`"
    if held.place.stage == "gateway":
        return f"report the event's type and API version; with a version that reads it, {replay}"
    if parked.headers.get(DECIDED_ANEW):
        return "nothing: its case has continued; `python -m producers command retry` requests another attempt"
    if held.place.stage == "streams" and parked.topic != FACTS.name:
        return f"its row sleeps; with a version that can decide it, {replay} wakes it"
    if held.place.stage == "streams":
        return f"with a version that reads or decides it, {replay}; its case does not continue until then"
    if parked.topic.startswith("effects."):
        return f"mend what it says above, then {replay}; what is past its deadline by then is not done"
    return f"mend the table or the program, then {replay}; the row is written once"


def hexdump(value: bytes) -> str:
    """Bytes as hex and text, up to LONGEST of them."""
    rows = []
    for at in range(0, min(len(value), LONGEST), BYTES_A_LINE):
        part = value[at : at + BYTES_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{at:08x}  {part.hex(' '):<{3 * BYTES_A_LINE}} {text}")
    more = [f"... {len(value) - LONGEST:,} more bytes; --raw writes all"] if len(value) > LONGEST else []
    return "\n".join([*rows, *more]) or "(no bytes)"
