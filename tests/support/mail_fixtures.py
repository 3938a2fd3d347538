"""Every mail to a payer, once per language and brand, for golden copies and for looking at them in a browser."""

from typing import Any

from recovery.presentation.brand import Brand
from recovery.presentation.messages.mail_content import Also, MailContent

LOCALES = {"en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES"}
BRANDS = {
    "plain": Brand(),
    "white-label": Brand(
        white_label=True,
        sender="billing@heron.example",
        logo_url="https://cdn.heron.example/logo.png",
        colour="#f2c14e",
    ),
}
NAMES = {"plain": "Northwind Coffee", "white-label": "Heron Yards"}
_SITUATIONS = {
    "generic": {"decline_kind": "hard", "decline_reason": "do_not_honor"},
    "expired": {"decline_kind": "hard", "decline_reason": "expired_card"},
    "funds": {"decline_kind": "soft", "decline_reason": "insufficient_funds"},
    "authentication": {"decline_kind": "needs_auth"},
}
_ORDER = {"subscription": False, "support_email": "", "customer_name": "", "currency": "jpy", "decline_reason": "lost_card"}
CASES: dict[str, dict[str, Any]] = {
    **{f"{step}-{why}": {"step": step, **said} for step in (1, 2, 3) for why, said in _SITUATIONS.items()},
    **{f"{step}-order": {"step": step, **_ORDER} for step in (1, 2, 3)},
    "2-several": {
        "step": 2,
        **_SITUATIONS["funds"],
        "also": (Also(1900, "eur", "https://pay.example/i/def"), Also(1500, "usd", "https://pay.example/i/ghi")),
    },
    "recovered": {"step": 0, "template": "payment_recovered"},
    "cancelled": {"step": 0, "template": "cancelled_for_non_payment"},
    "card-expiring": {"step": 0, "template": "card_expiring", "card": "2027-03", "link": ""},
}
"""What each mail has besides the fields that all have."""


def letter(case: str = "1-generic", language: str = "en", brand: str = "plain", **more: Any) -> MailContent:
    """A letter of a case of CASES in a language and a brand."""
    fields: dict[str, Any] = {
        "merchant": NAMES[brand],
        "brand": BRANDS[brand],
        "support_email": "help@northwind.example" if brand == "plain" else "help@heron.example",
        "customer_name": "Ana Müller",
        "language": language,
        "locale": LOCALES[language],
        "amount_minor": 4900,
        "currency": "eur",
        "link": "https://pay.example/i/abc?a=1&b=2",
    }
    return MailContent(**{**fields, **CASES[case], **more})
