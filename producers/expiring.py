"""Looks through an account's subscriptions for cards that expire before the next charge, and tells the stream of them (F68).

No webhook says so: `invoice.upcoming` names no card, and a payment method's event no charge.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import stripe

from control.lookup import UnknownAccount
from producers.bounces import Publishes
from producers.intake import message_of
from producers.providers.expiring_cards import EXPANDS, expiring
from recovery.stripe_fields import Object, UnknownShape, listed, needed_text
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
STRIPE = "https://api.stripe.com"
LIST = "/v1/subscriptions"
STATUSES = ("active", "trialing")


class NotRead(OSError):
    """Stripe did not answer as it should; the next look may."""


class Looked(NamedTuple):
    """What one look through an account came to."""

    subscriptions: int
    told: int
    unread: int


class ExpiringCards:
    """Tells of each card and charge once in its life, under an id that stays the same afterwards."""

    def __init__(self, publisher: Publishes, business: Clock, wall: Clock, api_base: str = "") -> None:
        self._publisher, self._business, self._wall, self._api_base = publisher, business, wall, api_base
        self._told: dict[str, set[str]] = {}

    def look_through(self, accounts: Sequence[str], api_key: Callable[[str], str], say: Callable[[str], object] = print) -> None:
        """Look through the accounts and say what each look came to; one that cannot be read keeps no other waiting.

        Raises:
            NotRead: some could not be read; the text names them, and the log says why.
            NotDelivered: the broker did not take it.

        """
        unread = []
        for account in accounts:
            try:
                looked = self.look(account, api_key(account))
            except (NotRead, UnknownAccount) as error:
                log.warning("%s: %s", account, error)
                unread.append(account)
            else:
                say(f"{account}: {looked.subscriptions} subscriptions, {looked.told} cards expire before the next charge")
        if unread:
            raise NotRead(f"Not looked through: {', '.join(unread)}.")

    def look(self, account: str, api_key: str) -> Looked:
        """Read the account's subscriptions and tell what expires.

        Raises:
            NotRead: Stripe did not answer.
            NotDelivered: the broker did not take it.

        """
        seen = unread = fresh = 0
        before, present = self._told.get(account, set()), set[str]()
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
        self._told[account] = present  # what is not found any more need not be remembered
        return Looked(seen, fresh, unread)

    def _subscriptions(self, api_key: str) -> Iterator[Object]:
        client = stripe.StripeClient(api_key, base_addresses={"api": self._api_base or STRIPE}, max_network_retries=3)
        ask: Callable[..., stripe.StripeResponse] = client.raw_request
        for status in STATUSES:
            after: dict[str, str] = {}
            while True:
                try:
                    # As JSON: the package would spend four fifths of a look on objects that nobody needs.
                    answer = ask("get", LIST, status=status, limit=100, expand=EXPANDS, **after)
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
