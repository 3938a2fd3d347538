"""Alerts in Slack, through Slack's own webhook client: blocks with amounts and links; handed over once, never repeated."""

import logging
import urllib.error
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any, Protocol

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from recovery.contracts.events import Event
from recovery.presentation.messages.alert_content import AlertContent, Place, dashboard_for, render_alert, summary
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure

TIMEOUT = 15
"""Wall seconds to connect, and to wait for an answer."""
ADDRESSES = "https://hooks.slack.com/services/"
"""How an incoming webhook's address begins."""
SHOWN = 20
"""Alerts of a digest that are named one by one; a section of Slack's has at most 3,000 characters."""
LONGEST_PAUSE = 600.0
"""Wall seconds for which Slack may ask to be left alone."""


class SlackMerchants(Protocol):
    """Where a merchant's alerts go."""

    def slack_webhook(self, account: str) -> str:
        """The address of the account's incoming webhook; empty for none. Raises LookupError when the account is unknown."""

    def livemode(self, account: str) -> bool:
        """Whether the account is connected in Stripe's live mode."""


class SlackChannel:
    """The account's incoming webhook. `other_addresses`: it need not be Slack's (an operator's setting)."""

    medium = "slack"
    repeats = 0

    def __init__(
        self,
        merchants: SlackMerchants,
        dashboard: str,
        *,
        other_addresses: bool,
        timeout: int = TIMEOUT,
        shown_account: str | None = None,
    ) -> None:
        """`shown_account` is the one account that the dashboard shows, so that others are not led there; None: it shows them all."""
        self._shown_account = shown_account
        self._merchants, self._dashboard, self._other, self._timeout = merchants, dashboard, other_addresses, timeout
        self._log = logging.getLogger(f"{__name__}.client")
        self._log.setLevel(logging.CRITICAL)  # below, the package tells the address, which is a secret; each effect has a line of ours

    def why_not(self, account: str) -> str:
        """Why no alert can be sent by Slack: `no_address`, or `address_refused` for one that is not Slack's."""
        address = self._merchants.slack_webhook(account)
        if not address:
            return "no_address"
        allowed = address.startswith(ADDRESSES) or (self._other and address.startswith(("https://", "http://")))
        return "" if allowed else "address_refused"

    def message(self, name: str) -> str:
        """Slack's webhooks give messages no id; ours is the first block's."""
        return name

    def deliver(self, account: str, events: Sequence[Event], name: str, claim: Callable[[], object]) -> None:
        """Return when Slack has taken one message with these events. Raises Deferred, RefusedForGood and Unclear."""
        place = Place(dashboard=dashboard_for(account, self._dashboard, self._shown_account), livemode=self._merchants.livemode(account))
        text, parts = written([render_alert(event, place) for event in events], name, livemode=place.livemode)
        self.post(account, text, parts, claim)

    def post(self, account: str, text: str, parts: list[dict[str, Any]], claim: Callable[[], object]) -> None:
        """The same for a message that is written already."""
        client = WebhookClient(
            self._merchants.slack_webhook(account),
            timeout=self._timeout,
            retry_handlers=[],  # the package would repeat what may have arrived
            logger=self._log,
        )
        claim()
        try:
            answer = client.send(text=text, blocks=parts, unfurl_links=False)
        except urllib.error.URLError as error:  # raised while connecting and sending only: Slack did not get the whole request
            raise TemporaryFailure(f"no connection to Slack: {type(error.reason).__name__}") from error
        except (OSError, HTTPException, ValueError, SlackClientError) as error:
            raise DeliveryUnknown(f"the connection to Slack broke: {type(error).__name__}") from error
        _understand(answer)


def _understand(answer: WebhookResponse) -> None:
    """Slack's answer is 200 and `ok`, or an error's name in one word (docs.slack.dev, incoming webhooks)."""
    reply = answer.body.strip()
    if answer.status_code == 200 and reply == "ok":
        return
    if answer.status_code == 429:
        raise TemporaryFailure("Slack requires a pause", _pause(answer))
    if answer.status_code >= 500:
        raise DeliveryUnknown(f"Slack failed with {answer.status_code}")
    word = reply if reply.isascii() and reply.replace("_", "").isalpha() and len(reply) <= 40 else f"status_{answer.status_code}"
    raise PermanentFailure(f"slack_{word}")


def _pause(answer: WebhookResponse) -> float:
    wanted = str(answer.headers.get("Retry-After") or "").strip()
    return min(float(wanted), LONGEST_PAUSE) if wanted.isascii() and wanted.isdigit() else 0.0


def written(contents: Sequence[AlertContent], name: str, *, livemode: bool) -> tuple[str, list[dict[str, Any]]]:
    """The message for one alert or several: a line for notifications, and blocks of which the first one carries the name."""
    parts = _one(contents[0], name) if len(contents) == 1 else _several(contents, name)
    if not livemode:
        parts.append({"type": "context", "elements": [_mrkdwn("Test mode: no real money is concerned.")]})
    text = contents[0].headline if len(contents) == 1 else f"{len(contents)} alerts: " + ", ".join(line for line, _ in summary(contents))
    return escaped(text), parts


def escaped(text: str) -> str:
    """The text with the three letters that Slack reads as markup (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one(content: AlertContent, name: str) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "section", "block_id": name[:255], "text": _mrkdwn(f"*{escaped(content.headline)}*")}]
    if content.facts:
        parts.append({"type": "section", "fields": [_mrkdwn(f"*{label}*\n{escaped(value)}") for label, value in content.facts[:10]]})
    if content.links:
        parts.append({"type": "section", "text": _mrkdwn(_linked(content))})
    return parts


def _several(contents: Sequence[AlertContent], name: str) -> list[dict[str, Any]]:
    sums = [f"*{escaped(line)}*" + (f"  {escaped(sum_)}" if sum_ else "") for line, sum_ in summary(contents)]
    parts: list[dict[str, Any]] = [{"type": "section", "block_id": name[:255], "text": _mrkdwn("\n".join(sums))}]
    named = contents[:SHOWN]
    parts += [{"type": "section", "text": _mrkdwn("\n".join(map(_line, named[at : at + 5])))} for at in range(0, len(named), 5)]
    if len(contents) > SHOWN:
        parts.append({"type": "context", "elements": [_mrkdwn(f"and {len(contents) - SHOWN} more")]})
    return parts


def _line(content: AlertContent) -> str:
    who = next((value for label, value in content.facts if label in {"Customer", "Endpoint"}), "")
    return " · ".join(part for part in (f"• {escaped(content.headline)}", escaped(who), _linked(content)) if part)


def _linked(content: AlertContent) -> str:
    return " · ".join(f"<{escaped(address)}|{escaped(text)}>" for text, address in content.links)


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}
