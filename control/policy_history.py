"""An account's policy over time: every version as it was published, the draft, and what follows from a new document. Pure.

The last published version is in force, and nothing else. The tenants file is one way to write a version: its policy is published when it is
edited. A document published by an operator is not undone by a file that has not changed since.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from recovery.policy import OBSERVE, Policy, from_toml, problems
from recovery.policy_versions import Version, rolled_back

THE_FILE = "tenants file"
"""The author of a version that the tenants file published."""

Permitted = Callable[[Policy], Policy]
"""What an account's entry in the tenants file makes of a document: its own mode of Stripe, and `observe` without `act_on_live`."""


class ChangeAuthor(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes something, why, and when: by the business's clock and by the wall's (B93)."""

    who: str
    why: str
    business: datetime
    wall: datetime


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `document` is the document as written, `policy` what the account's entry permitted and the stream received."""

    number: int
    document: Policy
    policy: Policy
    who: str
    why: str = ""
    occurred_at: datetime
    published_at: datetime


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The draft that is tried on paper beside the version in force; `policy` None: none is, any more. `turn` counts the changes."""

    turn: int
    policy: Policy | None
    who: str
    why: str = ""
    occurred_at: datetime


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All versions published for one account. `file` is the tenants file's policy as last read.

    `unpublished`: the last change may not have reached the broker and is published again, unchanged, before any other.
    """

    versions: tuple[Published, ...] = ()
    trial: Trial | None = None
    file: Policy | None = None
    unpublished: Literal["", "version", "draft"] = ""

    @property
    def last(self) -> Published | None:
        """The version in force; None before the first one."""
        return self.versions[-1] if self.versions else None

    @property
    def draft(self) -> Policy | None:
        """The policy that is tried on paper now."""
        return self.trial.policy if self.trial is not None else None

    def version(self, number: int) -> Published:
        """The version of that number. Raises LookupError naming those there are."""
        for version in self.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions) or "none"
        raise LookupError(f"There is no version {number} of this policy. Published so far: {known}.")


def checked(text: str) -> Policy:
    """The policy in a document. Raises ValueError with everything that is wrong with it, in words."""
    policy = from_toml(text)
    if found := problems(policy):
        raise ValueError("The policy cannot be published:\n" + "\n".join(f"- {problem}" for problem in found))
    return policy


def from_file(history: History, document: Policy, permitted: Permitted, author: ChangeAuthor) -> History:
    """What the tenants file changes: an edit of its policy is a version, and so is the present document where its permission changed."""
    last, edited = history.last, history.file is None or history.file != document
    wanted = document if last is None or edited else last.document
    noted = msgspec.structs.replace(history, file=document) if edited else history
    if last is not None and last.policy == permitted(wanted):
        return noted
    why = "edited" if edited else "what the account's entry permits has changed"
    return _with_version(noted, wanted, permitted, msgspec.structs.replace(author, why=author.why or why))


def published(history: History, document: Policy, permitted: Permitted, author: ChangeAuthor) -> History:
    """The document as the next version; the draft has ended when it is the draft that was published. The same again changes nothing.

    Raises:
        ValueError: the document has problems; the text names them.

    """
    if found := problems(document):
        raise ValueError("The policy cannot be published:\n" + "\n".join(f"- {problem}" for problem in found))
    last = history.last
    if last is not None and (last.document, last.policy) == (document, permitted(document)):
        return history
    if history.trial is not None and history.draft == _tried(document, permitted):
        history = msgspec.structs.replace(history, trial=_ended(history.trial, author))
    return _with_version(history, document, permitted, author)


def back_to(history: History, number: int, permitted: Permitted, author: ChangeAuthor) -> History:
    """The document of an older version as the next one. Raises LookupError when there is no such version."""
    older = [Version(version.number, version.document, version.who, version.why) for version in history.versions]
    restored = rolled_back(older, number, author.who)
    why = f"{restored.why}: {author.why}" if author.why else restored.why
    return _with_version(history, restored.policy, permitted, msgspec.structs.replace(author, why=why))


def tried(history: History, document: Policy | None, permitted: Permitted, author: ChangeAuthor) -> History:
    """The document as the draft, or no draft any more with None; the same again changes nothing.

    Raises:
        ValueError: the document has problems, or nothing is in force that it could be compared with.

    """
    if document is not None and (found := problems(document)):
        raise ValueError("The policy cannot be tried:\n" + "\n".join(f"- {problem}" for problem in found))
    if history.last is None:
        raise ValueError("No policy of this account has been published yet; publish one, then try others beside it.")
    draft = None if document is None else _tried(document, permitted)
    if draft == history.draft:
        return history
    turn = history.trial.turn + 1 if history.trial is not None else 1
    trial = Trial(turn=turn, policy=draft, who=author.who, why=author.why, occurred_at=author.business)
    return msgspec.structs.replace(history, trial=trial, unpublished="draft")


def in_force(history: History) -> Policy:
    """What holds for the account now."""
    return history.last.policy if history.last is not None else OBSERVE


def _tried(document: Policy, permitted: Permitted) -> Policy:
    """A draft acts on nothing, so a live account may try `act` before it is permitted."""
    return msgspec.structs.replace(permitted(document), mode=document.mode)


def _ended(trial: Trial, author: ChangeAuthor) -> Trial:
    return Trial(turn=trial.turn + 1, policy=None, who=author.who, why=author.why, occurred_at=author.business)


def _with_version(history: History, document: Policy, permitted: Permitted, author: ChangeAuthor) -> History:
    new = Published(
        number=history.last.number + 1 if history.last is not None else 1,
        document=document,
        policy=permitted(document),
        who=author.who,
        why=author.why,
        occurred_at=author.business,
        published_at=author.wall,
    )
    return msgspec.structs.replace(history, versions=(*history.versions, new), unpublished="version")
