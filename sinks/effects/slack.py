"""Alerts in Slack, through Slack's own webhook client: blocks with amounts and links; handed over once, never repeated."""

import logging
import urllib.error
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any, Protocol

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from recovery.contracts.events import Event
from sinks.effects.alert_text import Place, Telling, dashboard_for, summary, tell
from sinks.effects.handover import Deferred, RefusedForGood, Unclear

TIMEOUT = 15
"""Wall seconds to connect, and to wait for an answer."""
ADDRESSES = "https://hooks.slack.com/services/"
"""How an incoming webhook's address begins (decision 34)."""
SHOWN = 20
"""Alerts of a digest that are named one by one; a section of Slack's has at most 3,000 characters."""
LONGEST_PAUSE = 600.0
"""Wall seconds for which Slack may ask to be left alone."""


class Merchants(Protocol):
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
        merchants: Merchants,
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
        """Why nothing can be told this way: `no_address`, or `address_refused` for one that is not Slack's."""
        address = self._merchants.slack_webhook(account)
        if not address:
            return "no_address"
        allowed = address.startswith(ADDRESSES) or (self._other and address.startswith(("https://", "http://")))
        return "" if allowed else "address_refused"

    def message(self, name: str) -> str:
        """Slack's webhooks give messages no id; ours is the first block's."""
        return name

    def hand_over(self, account: str, events: Sequence[Event], name: str, claim: Callable[[], object]) -> None:
        """Return when Slack has taken one message with these events. Raises Deferred, RefusedForGood and Unclear."""
        place = Place(dashboard=dashboard_for(account, self._dashboard, self._shown_account), livemode=self._merchants.livemode(account))
        text, parts = written([tell(event, place) for event in events], name, livemode=place.livemode)
        self.say(account, text, parts, claim)

    def say(self, account: str, text: str, parts: list[dict[str, Any]], claim: Callable[[], object]) -> None:
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
            raise Deferred(f"no connection to Slack: {type(error.reason).__name__}") from error
        except (OSError, HTTPException, ValueError, SlackClientError) as error:
            raise Unclear(f"the connection to Slack broke: {type(error).__name__}") from error
        _understand(answer)


def _understand(answer: WebhookResponse) -> None:
    """Slack's answer is 200 and `ok`, or an error's name in one word (docs.slack.dev, incoming webhooks)."""
    said = answer.body.strip()
    if answer.status_code == 200 and said == "ok":
        return
    if answer.status_code == 429:
        raise Deferred("Slack asks for a pause", _pause(answer))
    if answer.status_code >= 500:
        raise Unclear(f"Slack failed with {answer.status_code}")
    word = said if said.isascii() and said.replace("_", "").isalpha() and len(said) <= 40 else f"status_{answer.status_code}"
    raise RefusedForGood(f"slack_{word}")


def _pause(answer: WebhookResponse) -> float:
    wanted = str(answer.headers.get("Retry-After") or "").strip()
    return min(float(wanted), LONGEST_PAUSE) if wanted.isascii() and wanted.isdigit() else 0.0


def written(told: Sequence[Telling], name: str, *, livemode: bool) -> tuple[str, list[dict[str, Any]]]:
    """The message for one alert or several: a line for notifications, and blocks of which the first one carries the name."""
    parts = _one(told[0], name) if len(told) == 1 else _several(told, name)
    if not livemode:
        parts.append({"type": "context", "elements": [_mrkdwn("Test mode: no real money is concerned.")]})
    text = told[0].headline if len(told) == 1 else f"{len(told)} alerts: " + ", ".join(line for line, _ in summary(told))
    return escaped(text), parts


def escaped(text: str) -> str:
    """The text with the three letters that Slack reads as markup (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one(told: Telling, name: str) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "section", "block_id": name[:255], "text": _mrkdwn(f"*{escaped(told.headline)}*")}]
    if told.facts:
        parts.append({"type": "section", "fields": [_mrkdwn(f"*{label}*\n{escaped(value)}") for label, value in told.facts[:10]]})
    if told.links:
        parts.append({"type": "section", "text": _mrkdwn(_linked(told))})
    return parts


def _several(told: Sequence[Telling], name: str) -> list[dict[str, Any]]:
    sums = [f"*{escaped(line)}*" + (f"  {escaped(sum_)}" if sum_ else "") for line, sum_ in summary(told)]
    parts: list[dict[str, Any]] = [{"type": "section", "block_id": name[:255], "text": _mrkdwn("\n".join(sums))}]
    named = told[:SHOWN]
    parts += [{"type": "section", "text": _mrkdwn("\n".join(map(_line, named[at : at + 5])))} for at in range(0, len(named), 5)]
    if len(told) > SHOWN:
        parts.append({"type": "context", "elements": [_mrkdwn(f"and {len(told) - SHOWN} more")]})
    return parts


def _line(told: Telling) -> str:
    who = next((value for label, value in told.facts if label in {"Customer", "Endpoint"}), "")
    return " · ".join(part for part in (f"• {escaped(told.headline)}", escaped(who), _linked(told)) if part)


def _linked(told: Telling) -> str:
    return " · ".join(f"<{escaped(address)}|{escaped(text)}>" for text, address in told.links)


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}
