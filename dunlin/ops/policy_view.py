"""Policies as people name them on the command line: an account, a version, the draft, or a file; and what is said of them."""

from pathlib import Path

import msgspec

from control.policy_history import History, Published, Trial, checked
from control.policy_store import FILE, PolicyStore
from dunlin.stack import state
from recovery.policy import Policy, to_toml
from recovery.policy_versions import diff

DRAFT = "draft"
"""The word that names the draft in place of a version."""


class PolicyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the history of a policy. `changes` are sentences; `published_at` is wall time in ISO 8601."""

    number: int
    published_at: str
    who: str
    why: str
    mode: str
    changes: tuple[str, ...]


def histories(home: Path) -> dict[str, History]:
    """All accounts' policies as they were published by the stack of this home. Raises ValueError when the file cannot be read."""
    return PolicyStore(state.living(home) / FILE).read().histories


def history_of(home: Path, account: str) -> tuple[str, History]:
    """The named account, or without a name the only one there is, and its policies.

    Raises:
        LookupError: there is none, or there are several; the text says what to do.

    """
    every = histories(home)
    if not account and len(every) > 1:
        raise LookupError(f"Several accounts have policies: {', '.join(sorted(every))}. Name one.")
    account = account or next(iter(every), "")
    if account not in every:
        owner = account or "any account"
        raise LookupError(f"No policy of {owner} has been published from {home}. `dunlin up` publishes those of the tenants file.")
    return account, every[account]


def document(history: History, name: str) -> Policy:
    """The policy of a version's number, of `draft`, or in a file.

    Raises:
        LookupError: there is no such version, draft or file.
        ValueError: the file's policy has problems; the text names them.

    """
    if name.isdecimal():
        return history.version(int(name)).document
    if name == DRAFT:
        if history.draft is None:
            raise LookupError("No draft is being tried. `dunlin policy dry-run FILE` begins.")
        return history.draft
    path = Path(name)
    if not path.is_file():
        raise LookupError(f"{name} is neither a version's number, nor `{DRAFT}`, nor a file.")
    return checked(text_of(path))


def text_of(file: Path) -> str:
    """A document's text. Raises ValueError when the file cannot be read."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}.") from error


def page(account: str, published: Published, history: History) -> str:
    """A version as a TOML document, with what is to be known of it as comments."""
    last = history.last
    standing = "in force" if last is not None and published.number == last.number else "not in force any more"
    head = [
        f"{account}, version {published.number}, {standing}",
        f"published {published.published_at:%Y-%m-%d %H:%M} UTC by {published.who}{f': {published.why}' if published.why else ''}",
    ]
    if published.policy.mode != published.document.mode:
        head.append(f"in force with mode = {published.policy.mode!r}: the account's key is live and act_on_live is not set")
    if history.trial is not None and history.draft is not None:
        head.append(_tried(history.trial))
    return "".join(f"# {line}\n" for line in head) + "\n" + to_toml(published.document)


def lines(history: History) -> list[PolicyLine]:
    """All versions, the last one first, each with what it changed."""
    shown: list[PolicyLine] = []
    before: Policy | None = None
    for version in history.versions:
        changes = ["the first version"] if before is None else diff(before, version.document) or ["the same document"]
        shown.append(
            PolicyLine(
                number=version.number,
                published_at=version.published_at.isoformat(timespec="seconds"),
                who=version.who,
                why=version.why,
                mode=version.policy.mode,
                changes=tuple(changes),
            )
        )
        before = version.document
    return shown[::-1]


def _tried(trial: Trial) -> str:
    return f"a draft is tried beside it since {trial.occurred_at:%Y-%m-%d %H:%M} UTC by {trial.who}: `dunlin policy show --draft`"
