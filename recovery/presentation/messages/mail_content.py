"""A mail to a payer, as text and HTML. Pure: the same letter always gives the same bytes; golden copies are in the tests."""

import msgspec

from recovery.contracts.effects import FurtherOwed
from recovery.presentation.brand import Brand
from recovery.presentation.messages import layout
from recovery.presentation.messages.colours import palette
from recovery.presentation.messages.languages import amount, month, translated
from recovery.presentation.messages.mail_texts import AROUND, NOTICES, situation, texts_of
from recovery.presentation.messages.untrusted_text import one_line, person


class Also(msgspec.Struct, frozen=True):
    """Another open invoice that the mail names: what is owed, in the currency's minor unit, and where it can be paid."""

    amount_minor: int
    currency: str
    link: str
    web_link: str = ""


class MailContent(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a mail. `amount_minor` is the amount owed, in the currency's minor unit; `link` is where it can be paid, empty where
    nothing can be paid yet. A `template` other than a reminder's names a transactional mail; `card` is an expiring card's last month,
    `2027-03`. The mail is written in `language`, with amounts in the notation of `locale`. `web_link` and `pixel`, when given, replace the
    link in the HTML part and add an image that records the opening."""

    merchant: str
    brand: Brand = Brand()
    support_email: str = ""
    customer_name: str = ""
    language: str = "en"
    locale: str = ""
    amount_minor: int
    currency: str
    link: str
    web_link: str = ""
    pixel: str = ""
    step: int
    decline_kind: str = ""
    decline_reason: str = ""
    subscription: bool = True
    template: str = ""
    card: str = ""
    also: tuple[Also, ...] = ()
    further: tuple[FurtherOwed, ...] = ()


class Rendered(msgspec.Struct, frozen=True):
    """The subject (one line), the language and the two bodies of a mail."""

    subject: str
    text: str
    html: str
    language: str


def render(letter: MailContent) -> Rendered:
    """The mail for a letter, in its language and the merchant's colours."""
    wording = NOTICES.get(letter.template) or texts_of(
        letter.step, situation(letter.decline_kind, letter.decline_reason), subscription=letter.subscription
    )
    name = person(letter.customer_name)
    around = {key: AROUND[key] for key in AROUND if key not in {"hello", "hello_name", "further"}}
    texts = {**msgspec.structs.asdict(wording), **around, "greeting": AROUND["hello_name" if name else "hello"]}
    fill = {
        "merchant": one_line(letter.merchant),
        "name": name,
        "amount": amount(letter.amount_minor, letter.currency, letter.locale),
        "month": month(letter.card, letter.language),
        "label": translated(wording.label, letter.language),
    }
    lines = {key: translated(text, letter.language).format(**fill) for key, text in texts.items()}
    shown = {**fill, **lines, **_facts(letter), **branded(letter.brand, lines["mention"])}
    colours = palette(letter.brand.colour if letter.brand.white_label else "")
    page = layout.html("reminder.html", colours, {**shown, "link": letter.web_link or letter.link, "also": _also(letter, web=True)})
    return Rendered(lines["subject"], layout.plain("reminder.txt", shown), page, letter.language)


def branded(brand: Brand, mention: str) -> dict[str, object]:
    """The fields of the base template that follow from the brand; `mention` of ourselves is for those without a white label."""
    if not brand.white_label:
        return {"logo": "", "logo_width": "", "mention": mention}
    return {"logo": brand.logo_url, "logo_width": str(brand.logo_width), "mention": ""}


def _facts(letter: MailContent) -> dict[str, object]:
    support = one_line(letter.support_email)
    return {
        "language": letter.language,
        "link": letter.link,
        "pixel": letter.pixel,
        "also": _also(letter, web=False),
        "further": _further(letter),
        "total": _total(letter) if letter.also or letter.further else "",
        "support_email": support,
        "mailto": f"mailto:{support}",
    }


def _also(letter: MailContent, *, web: bool) -> list[tuple[str, str]]:
    return [(amount(one.amount_minor, one.currency, letter.locale), (one.web_link if web else "") or one.link) for one in letter.also]


def _further(letter: MailContent) -> list[tuple[str, str]]:
    """The invoices that are not named: how many, and their sum in each currency."""
    label = translated(AROUND["further"], letter.language)
    return [(label.format(count=one.count), amount(one.amount_minor, one.currency, letter.locale)) for one in letter.further]


def _total(letter: MailContent) -> str:
    """All that is owed, per currency: never summed across currencies."""
    sums = {letter.currency: letter.amount_minor}
    owed = [(one.amount_minor, one.currency) for one in letter.also] + [(one.amount_minor, one.currency) for one in letter.further]
    for minor, currency in owed:
        sums[currency] = sums.get(currency, 0) + minor
    return " + ".join(amount(minor, currency, letter.locale) for currency, minor in sums.items())
