"""The payers of the sandbox: who they are, what they earn and when, which cards they carry."""

from datetime import UTC, datetime

from sandbox.simulation.records import Card, Customer
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0
ISSUERS = 60
_CURRENCIES = [("usd", 0.54), ("kwd", 0.01), ("eur", 0.30), ("gbp", 0.10), ("jpy", 0.05)]
_COUNTRIES = {
    "usd": [("US", 0.92), ("CA", 0.08)],
    "eur": [("DE", 0.35), ("FR", 0.25), ("ES", 0.15), ("IT", 0.13), ("NL", 0.12)],
    "gbp": [("GB", 1.0)],
    "jpy": [("JP", 1.0)],
    "kwd": [("KW", 1.0)],
}
_LOCALES = {"DE": "de", "FR": "fr", "ES": "es", "IT": "it", "NL": "nl", "JP": "ja"}
_FIRST = (
    "Ada", "Ben", "Chloe", "Dario", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas",
    "Keiko", "Lena", "Mateo", "Nora", "Omar", "Paula", "Quentin", "Rosa", "Sven", "Tessa",
)  # fmt: skip
_LAST = (
    "Abel", "Brandt", "Costa", "Dupont", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen",
    "Keller", "Lopez", "Moreau", "Novak", "Olsen", "Park", "Rossi", "Silva", "Tanaka", "Weber",
)  # fmt: skip
_CYCLES = [(7.0, 0.324), (14.0, 0.365), (15.2, 0.198), (30.4, 0.113)]
_TIGHT = {"debit": 0.155, "prepaid": 0.28, "credit": 0.055}


def customer(luck: Luck, number: int, start: float) -> Customer:
    """Payer number `number` of this seed, as of the start of the month (Unix seconds)."""
    currency = luck.pick(_CURRENCIES, number, "currency")
    country = luck.pick(_COUNTRIES[currency], number, "country")
    first, last = (names[int(luck.unit(number, part) * 20)] for names, part in ((_FIRST, "first"), (_LAST, "last")))
    key = "cus_" + luck.token(14, "customer", number)
    card = first_card(luck, number, key, country, start)
    tight = luck.chance(_TIGHT[card.funding], number, "tight")
    cycle = luck.pick(_CYCLES, number, "cycle")
    usual = int(luck.between(6, 15, number, "hours"))
    return Customer(
        id=key,
        name=f"{first} {last}",
        email=None if luck.chance(0.02, number, "no mail") else f"{first}.{last}.{number}@mail.example".lower(),
        country=country,
        currency=currency,
        locale=_LOCALES.get(country, "en"),
        created=start - luck.between(20, 700, number, "age") * DAY,
        card=card,
        cycle_days=cycle,
        pay_phase=luck.between(0, cycle, number, "phase"),
        base=-1.1 + 0.7 * luck.normal(number, "base") if tight else 3.2 + 0.5 * luck.normal(number, "base"),
        amp=luck.between(1.5, 3.5, number, "amp"),
        tau=2.5 + 4.5 * min(cycle / 30.4, 1.0),
        issuer=int(luck.unit(number, "issuer") * ISSUERS),
        usual_hours=(usual, usual + 9),
    )


def first_card(luck: Luck, number: int, owner: str, country: str, start: float) -> Card:
    """The card a customer comes with: a few already expired, some expiring or lost in the month, most sound."""
    brands = [("visa", 0.55), ("mastercard", 0.36), ("amex", 0.09 if country in ("US", "GB", "CA") else 0.0)]
    card = Card(
        id="pm_" + luck.token(24, number, "card"),
        customer=owner,
        fingerprint=luck.token(16, number, "fingerprint"),
        brand=luck.pick(brands, number, "brand"),
        country=country,
        funding=luck.pick([("debit", 0.5), ("credit", 0.44), ("prepaid", 0.06)], number, "funding"),
        last4=f"{int(luck.unit(number, 'last4') * 10000):04d}",
        exp_month=1,
        exp_year=2000,
        created=start - 10 * DAY,
    )
    _date_card(card, _months_left(luck, number), start)
    if luck.chance(0.012, number, "lost"):
        card.lost_at = start + luck.between(-15, 30, number, "lost at") * DAY
        card.lost_code = luck.pick([("lost_card", 0.5), ("stolen_card", 0.3), ("pickup_card", 0.2)], number, "lost code")
    if luck.chance(0.0035 if country in _LOCALES else 0.001, number, "auth"):
        card.needs_action = luck.pick([("required", 0.5), ("action", 0.5)], number, "auth kind")
    return card


def _months_left(luck: Luck, number: int) -> int:
    return luck.pick([(-1, 0.014), (0, 0.019)] + [(m, 0.967 / 40) for m in range(1, 41)], number, "expiry")


def _date_card(card: Card, months: int, at: float) -> None:
    """Valid through the last day of the month that lies `months` after that of `at`."""
    month0 = datetime.fromtimestamp(at, UTC)
    index = month0.year * 12 + month0.month - 1 + months
    card.exp_year, card.exp_month = index // 12, index % 12 + 1
    after = index + 1
    card.expires_at = datetime(after // 12, after % 12 + 1, 1, tzinfo=UTC).timestamp()


def renew_card(luck: Luck, card: Card, at: float) -> None:
    """The network updates the card: a new date, and a new number when the old one was lost."""
    if card.lost_at <= at:
        card.fingerprint = luck.token(16, card.id, "renewed")
        card.last4 = f"{int(luck.unit(card.id, 'renewed') * 10000):04d}"
        card.lost_at = float("inf")
    _date_card(card, 48, at)


def new_card(luck: Luck, owner: Customer, at: float, outcome: str, *parts: object) -> Card:
    """A card typed in by its owner on a page; "good" always pays, a decline code always declines."""
    card = Card(
        id="pm_" + luck.token(24, owner.id, "new card", *parts),
        customer=owner.id,
        fingerprint=luck.token(16, owner.id, "new fingerprint", *parts),
        brand="visa",
        country=owner.country,
        funding="credit",
        last4="4242" if outcome == "good" else "0002",
        exp_month=1,
        exp_year=2000,
        created=at,
        outcome=outcome,
    )
    _date_card(card, 36, at)
    return card
