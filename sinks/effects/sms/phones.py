"""A payer's telephone number as Stripe has it, made into one that can be texted. Pure."""

from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType

CANNOT_READ = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PAGER,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
"""Kinds of numbers to which a text is lost, or dear."""


def e164(written: str, country: str = "") -> str:
    """The number as `+4915112345678`; empty for an invalid number, or one that cannot receive texts.

    `country` (ISO code) is the country of a number without a country code.
    """
    try:
        number = phonenumbers.parse(written, country.upper() or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in CANNOT_READ:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def of_customer(customer: dict[str, Any]) -> tuple[str, str]:
    """A Stripe customer's number to text, empty where there is none, and why there is none: `no_phone` or `unusable_phone`."""
    written = str(customer.get("phone") or "").strip()
    if not written:
        return "", "no_phone"
    address = customer.get("address") or {}
    number = e164(written, str(address.get("country") or ""))
    return number, "" if number else "unusable_phone"
