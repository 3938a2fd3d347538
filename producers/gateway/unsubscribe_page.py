"""The page behind an unsubscribe link: a button, or a confirmation. It names no merchant, so that it serves all of them. Pure."""

from html import escape

_WORDS: dict[str, tuple[str, str, str]] = {
    "en": (
        "Payment reminders",
        "Don’t want to get these payment mails any more?",
        "You are unsubscribed from these mails.",
    ),
    "de": (
        "Zahlungserinnerungen",
        "Möchten Sie diese Zahlungsmails nicht mehr erhalten?",
        "Ihr Wunsch, diese Mails nicht mehr zu erhalten, ist vermerkt.",
    ),
    "fr": (
        "Rappels de paiement",
        "Vous ne souhaitez plus recevoir ces e-mails de paiement ?",
        "Votre souhait de ne plus recevoir ces e-mails a été enregistré.",
    ),
    "es": (
        "Recordatorios de pago",
        "¿No desea recibir más estos correos de pago?",
        "Hemos registrado su deseo de no recibir más estos correos.",
    ),
}
_BUTTONS = {"en": "Unsubscribe", "de": "Abmelden", "fr": "Se désabonner", "es": "Darse de baja"}
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:3rem 1.25rem;background:#f5f5f2;color:#1c1c1a}"
    "main{max-width:28rem;margin:auto;background:#fff;padding:2rem;border-radius:.5rem}h1{font-size:1.25rem;margin:0 0 1rem}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.35rem;background:#1c1c1a;color:#fff;cursor:pointer}"
    "button:focus-visible{outline:3px solid #5b8def;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#161614;color:#ececE8}main{background:#222220}button{background:#ececE8;color:#161614}}"
)


def page(accept_language: str, *, done: bool) -> bytes:
    """The page in the reader's first language that we support, else in English; with `done` it confirms the unsubscribe."""
    language = _language(accept_language)
    title, question, thanks = (escape(text) for text in _WORDS[language])
    button = f'<form method="post"><button name="List-Unsubscribe" value="One-Click">{escape(_BUTTONS[language])}</button></form>'
    inside = f"<p role=status>{thanks}</p>" if done else f"<p>{question}</p>{button}"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{inside}</main></body></html>\n"
    ).encode()


def _language(accept_language: str) -> str:
    wanted = (part.split(";")[0].strip().lower()[:2] for part in accept_language[:200].split(","))
    return next((language for language in wanted if language in _WORDS), "en")
