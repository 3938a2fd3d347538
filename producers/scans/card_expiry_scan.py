"""Scans an account's subscriptions for cards that expire before the next charge, and publishes a fact for each.

No webhook reports this: `invoice.upcoming` has no card, and a payment method's event has no charge.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import stripe

from control.tenants import UnknownAccount
from producers.gateway.router import message_of
from producers.mailbox.poller import Publishes
from producers.providers.expiring_cards import EXPANDS, expiring
from recovery.stripe.fields import Object, UnknownShape, listed, needed_text
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
STRIPE = "https://api.stripe.com"
LIST = "/v1/subscriptions"
STATUSES = ("active", "trialing")


class NotRead(OSError):
    """Stripe did not answer properly; the next scan may succeed."""


class ScanResult(NamedTuple):
    """The result of one scan of an account."""

    subscriptions: int
    facts: int
    unread: int


class CardExpiryScan:
    """Publishes each card and charge once in its life, under an id that stays the same afterwards."""

    def __init__(self, publisher: Publishes, business: Clock, wall: Clock, api_base: str = "") -> None:
        self._publisher, self._business, self._wall, self._api_base = publisher, business, wall, api_base
        self._published: dict[str, set[str]] = {}

    def scan_all(self, accounts: Sequence[str], api_key: Callable[[str], str], report: Callable[[str], object] = print) -> None:
        """Scan the accounts and report each result; one that cannot be read does not delay the others.

        Raises:
            NotRead: some accounts could not be read; the text names them, and the log has the reasons.
            NotDelivered: the broker did not accept a fact.
        """
        unread = []
        for account in accounts:
            try:
                result = self.scan(account, api_key(account))
            except (NotRead, UnknownAccount) as error:
                log.warning("%s: %s", account, error)
                unread.append(account)
            else:
                report(f"{account}: {result.subscriptions} subscriptions, {result.facts} cards expire before the next charge")
        if unread:
            raise NotRead(f"Not scanned: {', '.join(unread)}.")

    def scan(self, account: str, api_key: str) -> ScanResult:
        """Read the account's subscriptions and publish the cards that expire.

        Raises:
            NotRead: Stripe did not answer.
            NotDelivered: the broker did not accept a fact.
        """
        seen = unread = fresh = 0
        before, present = self._published.get(account, set()), set[str]()
        for subscription in self._subscriptions(api_key):
            seen += 1
            try:
                fact = expiring(account, subscription, self._business(), self._wall())
            except UnknownShape as error:
                unread += 1
                log.warning("a subscription of %s cannot be read: %s", account, error)
                continue
            if fact is not None and fact.id not in present:
                present.add(fact.id)
                if fact.id not in before:
                    fresh += 1
                    self._publisher.send(*message_of(fact)[:3])
            if seen % 1000 == 0:
                log.info("%s: %d subscriptions seen, %d cards expire", account, seen, fresh)
        self._publisher.flush()
        self._published[account] = present  # what is not found any more need not be remembered
        return ScanResult(seen, fresh, unread)

    def _subscriptions(self, api_key: str) -> Iterator[Object]:
        client = stripe.StripeClient(api_key, base_addresses={"api": self._api_base or STRIPE}, max_network_retries=3)
        request: Callable[..., stripe.StripeResponse] = client.raw_request
        for status in STATUSES:
            after: dict[str, str] = {}
            while True:
                try:
                    # As JSON: the package would spend four fifths of a look on objects that nobody needs.
                    answer = request("get", LIST, status=status, limit=100, expand=EXPANDS, **after)
                    page: Any = answer.data
                    found = listed({"list": page}, "list", "subscriptions")
                    more = bool(page.get("has_more"))
                    after = {"starting_after": needed_text(found[-1], "id", "subscription")} if found else {}
                except stripe.StripeError as error:
                    raise NotRead(f"Stripe did not list the subscriptions: {error.user_message or type(error).__name__}.") from error
                except UnknownShape as error:
                    raise NotRead(f"Stripe's list of subscriptions cannot be read: {error}") from error
                yield from found
                if not more or not found:
                    break
