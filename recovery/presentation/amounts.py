"""Minor units to amounts, with the decimals that Stripe uses for the currency (B50). Pure; words and signs are the reader's matter."""

from decimal import Decimal

# https://docs.stripe.com/currencies: zero-decimal and three-decimal currencies. ISK and UGX are sent with two decimals that are always 00.
_NO_DECIMALS = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"])
_THREE_DECIMALS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def decimals(currency: str) -> int:
    """Digits after the point in Stripe's smallest unit of a currency."""
    if currency.lower() in _NO_DECIMALS:
        return 0
    return 3 if currency.lower() in _THREE_DECIMALS else 2


def major(minor: int, currency: str) -> Decimal:
    """The amount in the currency's main unit, exact."""
    return Decimal(int(minor)).scaleb(-decimals(currency))


def with_code(minor: int, currency: str) -> str:
    """The amount with the currency's code: 49.00 EUR, 1,200 JPY."""
    return f"{major(minor, currency):,.{decimals(currency)}f} {currency.upper()}"
