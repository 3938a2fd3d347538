"""Delivers an SMS to Twilio through its own package, and distinguishes the results: accepted, refused, opted out, and broken off in
between.

Every message opens a connection of its own: an idle one may have been closed by the server, which is indistinguishable from a message that
may have been sent.
"""

import logging
import re
from collections.abc import Callable

import requests
import urllib3
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure

TIMEOUT = 15.0
"""Wall seconds to connect, and to wait for an answer."""
LONGEST_QUEUE = 36_000
"""Seconds that Twilio may keep a text in its own queue, at most."""
_ACCOUNT, _SERVICE = re.compile(r"AC[0-9a-fA-F]{32}"), re.compile(r"MG[0-9a-fA-F]{32}")
_NUMBER, _NAME = re.compile(r"\+?[0-9]{3,15}"), re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_TEMPORARY = frozenset({20429, 20503, 21730})
"""Too many requests, service unavailable, maintenance: the request was not processed (twilio.com/docs/api/errors)."""
_OPTED_OUT = 21610
_BAD_NUMBER = frozenset({21211, 21214, 21217, 21265, 21401, 21612, 21614, 21635})
_BAD_SENDER = frozenset({21212, 21606, 21603, 21659, 21660, 21701, 21703})
_REGION = frozenset({21408})


class OptedOut(PermanentFailure):
    """The recipient answered STOP to Twilio before."""


class TextServer:
    """Texts from one Twilio account. `sender` is a number, a messaging service (MG...) or a name; `base` another address of the API.

    Raises:
        ValueError: account or sender is invalid; the text says what is expected.
    """

    def __init__(self, account: str, token: str, sender: str, base: str = "", timeout: float = TIMEOUT) -> None:
        if not _ACCOUNT.fullmatch(account) or not token:
            raise ValueError("TWILIO_ACCOUNT_SID must be an account as AC and 32 hex digits, and TWILIO_AUTH_TOKEN its token.")
        self._service = bool(_SERVICE.fullmatch(sender))
        self.can_be_answered = self._service or bool(_NUMBER.fullmatch(sender))
        if not self.can_be_answered and not _NAME.fullmatch(sender):
            raise ValueError(f"TWILIO_PHONE_NUMBER is {sender!r}; it takes a number as +15005550006, a service (MG...) or a name.")
        self._sender = sender
        client_log = logging.getLogger("twilio.http_client")
        client_log.setLevel(logging.WARNING)  # it tells every request with number and text
        http = TwilioHttpClient(pool_connections=False, timeout=timeout, logger=client_log)
        self._client = Client(account, token, http_client=http, environment={"TWILIO_REGION": ""})  # it would read the environment
        if base:
            self._client.api.base_url = base.rstrip("/")

    def deliver(self, number: str, text: str, seconds: int, status_to: str, claim: Callable[[], object]) -> str:
        """Return Twilio's id of the message when it was taken; it leaves within `seconds` or never. `claim` is called just before.

        Raises:
            Deferred, OptedOut, RefusedForGood: it was not taken.
            Unclear: it may have been taken.

        """
        claim()
        wanted: dict[str, str] = {"messaging_service_sid" if self._service else "from_": self._sender}
        if status_to:
            wanted["status_callback"] = status_to
        try:
            sent = self._client.messages.create(number, body=text, validity_period=min(max(seconds, 10), LONGEST_QUEUE), **wanted)
        except TwilioRestException as error:
            raise _meaning(error) from error
        except requests.RequestException as error:
            raise _broken(error) from error
        except (TwilioException, ValueError, KeyError) as error:  # an answer that is none: the request had arrived somewhere
            raise DeliveryUnknown(f"Twilio's answer cannot be read: {type(error).__name__}") from error
        return str(sent.sid)


def _meaning(error: TwilioRestException) -> Exception:
    """What a refusal of Twilio's means; its text may hold the number and is left out."""
    code, status = error.code or 0, error.status
    if status == 429 or code in _TEMPORARY:
        return TemporaryFailure(f"Twilio is busy ({code or status})")
    if status >= 500:  # twilio.com/docs/api/errors/20500: when repeated, the payer may get it twice
        return DeliveryUnknown(f"Twilio failed ({code or status})")
    if code == _OPTED_OUT:
        return OptedOut("opted_out")
    if status in {401, 403}:
        return PermanentFailure("not_allowed")
    for codes, word in ((_BAD_NUMBER, "bad_number"), (_BAD_SENDER, "bad_sender"), (_REGION, "region_not_enabled")):
        if code in codes:
            return PermanentFailure(word)
    return PermanentFailure(f"refused_{code or status}")


def _broken(error: requests.RequestException) -> Exception:
    """Whether the request can have arrived: not when there was no connection to send it by."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ProxyError)
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ConnectTimeout) or isinstance(reason, never):
        return TemporaryFailure(f"no connection to Twilio: {type(error).__name__}")
    return DeliveryUnknown(f"the connection to Twilio broke: {type(error).__name__}")
