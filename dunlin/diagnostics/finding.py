"""One result of a check."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was seen, in plain words; when it is wrong, the text also says what to do."""

    subject: str
    text: str
    is_wrong: bool = False
    is_doubtful: bool = False


def well(subject: str, text: str) -> Finding:
    """A thing as it should be."""
    return Finding(subject, text)


def wrong(subject: str, text: str) -> Finding:
    """A thing that keeps Dunlin from running; `text` also says what to do."""
    return Finding(subject, text, is_wrong=True)


def doubtful(subject: str, text: str) -> Finding:
    """A state that Dunlin can run with and that an operator should check; `text` also says what to do."""
    return Finding(subject, text, is_doubtful=True)
