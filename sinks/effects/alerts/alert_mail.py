"""Alerts by e-mail: one mail for an alert, or one with a table for a burst of them, through the server of customers' mails."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from recovery import ids
from recovery.contracts.events import Event
from recovery.presentation.messages import layout
from recovery.presentation.messages.alert_content import AlertContent, Place, dashboard_for, render_alert, summary
from recovery.presentation.messages.colours import palette
from recovery.presentation.messages.mail_content import Rendered
from recovery.presentation.messages.untrusted_text import in_header, one_line
from recovery.vocabulary import Clock
from sinks.effects.mail.mime import Envelope, compose
from sinks.effects.mail.recipients import Recipients, is_address
from sinks.effects.mail.smtp import MailServer

SHOWN = 100
"""Alerts that a mail names one by one; the rest is in the sums."""
OUR_NAME = "Dunlin"


class AlertMailMerchants(Protocol):
    """Where a merchant's alerts go."""

    def alert_email(self, account: str) -> str:
        """The address; empty for none. Raises LookupError when the account is unknown."""

    def name(self, account: str) -> str:
        """The merchant's name."""

    def livemode(self, account: str) -> bool:
        """Whether the account is connected in Stripe's live mode."""


class Page(msgspec.Struct, frozen=True):
    """An alert mail's subject (one line), its two bodies and their language."""

    subject: str
    text: str
    html: str
    language: str = "en"


class MailChannel:
    """The account's alert address. `server` is None when none is set; `may_leave` False when it is elsewhere and that is not allowed."""

    medium = "email"
    repeats = 1

    def __init__(
        self,
        merchants: AlertMailMerchants,
        server: MailServer | None,
        sender: str,
        wall: Clock,
        dashboard: str,
        *,
        may_leave: bool,
        shown_account: str | None = None,
    ) -> None:
        """`shown_account` is the one account that the dashboard shows, so that others are not led there; None: it shows them all."""
        self._merchants, self._server, self._sender, self._wall = merchants, server, sender, wall
        self._dashboard, self._shown_account, self._may_leave = dashboard, shown_account, may_leave
        self._domain = sender.rpartition("@")[2]

    def why_not(self, account: str) -> str:
        """Why no alert can be sent by mail."""
        address = self._merchants.alert_email(account)
        if not address:
            return "no_address"
        if not is_address(address):
            return "unusable_address"
        if self._server is None:
            return "no_mail_server"
        return "" if self._may_leave else "real_mail_disabled"

    def message(self, name: str) -> str:
        """The Message-ID of the mail of that name."""
        return ids.message_id(name, self._domain)

    def deliver(self, account: str, events: Sequence[Event], name: str, claim: Callable[[], object]) -> None:
        """Return when the mail server has taken one mail with these events. Raises Deferred, RefusedForGood and Unclear."""
        place = Place(dashboard=dashboard_for(account, self._dashboard, self._shown_account), livemode=self._merchants.livemode(account))
        contents = [render_alert(event, place) for event in events]
        self.send_page(account, page(contents, self._merchants.name(account), account, test=not place.livemode), name, claim)

    def send_page(self, account: str, mail: Page, name: str, claim: Callable[[], object]) -> None:
        """The same for a mail that is written already."""
        assert self._server is not None, "why_not says so before"  # noqa: S101 - told to the type checker
        to = self._merchants.alert_email(account)
        self._server.deliver(self._sender, to, composed(mail, self._sender, to, self.message(name), self._wall()), claim)


def page(contents: Sequence[AlertContent], merchant: str, account: str, *, test: bool) -> Page:
    """The mail for one alert or several."""
    fields = _one(contents[0], merchant) if len(contents) == 1 else _several(contents, merchant)
    return filled(fields, account, test=test)


def filled(fields: dict[str, object], account: str, *, test: bool) -> Page:
    """A mail to a merchant from its heading, opening, rows and links."""
    heading = str(fields["heading"])
    around = {
        "language": "en",
        "subject": heading,
        "merchant": OUR_NAME,
        "logo": "",
        "logo_width": "",
        "account": account,
        "test": test,
        "alerts": [],
        "rows": [],
        "label_width": "38%",
        "others": [],
        "link": "",
        "button": "",
        "closing": (
            "You get this because the account’s entry names you as alert_email. "
            "[tenant.policy.alerts.email] switches kinds of alerts off; without alert_email there are none."
        ),
    }
    shown = around | fields
    return Page(in_header(heading), layout.plain("alert.txt", shown), layout.html("alert.html", palette(), shown))


def composed(mail: Page, sender: str, to: str, message_id: str, now: datetime) -> bytes:
    """The bytes of the mail. The same arguments always give the same bytes."""
    around = Envelope(sender=sender, sender_name=OUR_NAME, to=Recipients(to), to_name="", message_id=message_id, at=now)
    return compose(Rendered(mail.subject, mail.text, mail.html, mail.language), around)


def _one(content: AlertContent, merchant: str) -> dict[str, object]:
    first, *others = content.links or (("", ""),)
    return {
        "heading": content.headline,
        "preview": " · ".join(value for _, value in content.facts[:3]),
        "opening": _OPENINGS.get(content.what, "{merchant} should check this.").format(merchant=one_line(merchant)),
        "rows": content.facts,
        "button": first[0],
        "link": first[1],
        "others": others,
    }


def _several(contents: Sequence[AlertContent], merchant: str) -> dict[str, object]:
    sums = summary(contents)
    left = f" The newest {len(contents) - SHOWN} of them are only in the totals." if len(contents) > SHOWN else ""
    return {
        "heading": f"{len(contents)} alerts: " + ", ".join(line for line, _ in sums),
        "preview": " · ".join(f"{line} {sum_}".strip() for line, sum_ in sums),
        "opening": f"There were many events at {one_line(merchant)} within ten minutes; this mail covers all of them.{left}",
        "rows": sums,
        "label_width": "65%",
        "alerts": [(one.headline, _briefly(one), one.links[0][1] if one.links else "") for one in contents[:SHOWN]],
    }


def _briefly(content: AlertContent) -> str:
    wanted = {"Customer", "Decline", "Paid by", "Why", "Endpoint", "When"}
    return " · ".join(value for label, value in content.facts if label in wanted)


_OPENINGS = {
    "payment_failed": "A payment to {merchant} failed. Dunlin is working on it; the next step is below.",
    "payment_recovered": "A payment to {merchant} that had failed was received.",
    "case_abandoned": "A failed payment to {merchant} was not recovered, and your policy allows no further step.",
    "case_blocked": "A payment to {merchant} was declined as suspected fraud. It is not retried and the customer gets no request to pay.",
    "contact_changed": "We cannot reach a customer of {merchant} at the address that Stripe has.",
    "complained": "A customer of {merchant} marked a mail as spam. They will get no more e-mails.",
    "dunning_skipped": "Stripe has no address for a customer of {merchant}, so no mail can be sent. Scheduled retries continue.",
    "endpoint_disabled": "An endpoint of {merchant} has not answered. Deliveries stop until you enable it again.",
}
