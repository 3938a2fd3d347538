"""The look of the sandbox's pages: one plain layout, everything escaped, money and time in words."""

from datetime import UTC, datetime
from typing import Any

from jinja2 import DictLoader, Environment

ZERO_DECIMAL = frozenset({"jpy"})
_LAYOUT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6b7c; --line: #dfe5ea; --sea: #1f6f78; --sand: #f6f4ef }
* { box-sizing: border-box } body { margin: 0; background: var(--sand); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem } h1 { font-size: 1.4rem; margin: 0 0 1rem }
.card { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 1.5rem; margin-bottom: 1rem }
.narrow { max-width: 28rem; margin: 0 auto } .soft { color: var(--soft) } .big { font-size: 2rem; font-weight: 600 }
table { width: 100%; border-collapse: collapse } th { text-align: left; color: var(--soft); font-weight: 500 }
td, th { padding: .5rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top } tr:hover td { background: #fafbfc }
a { color: var(--sea) } button { background: var(--sea); color: #fff; border: 0; border-radius: 8px; padding: .7rem 1.2rem;
font: inherit; cursor: pointer } input, select { font: inherit; padding: .5rem .7rem; border: 1px solid var(--line); border-radius: 8px }
label { display: block; padding: .5rem 0 } .state { padding: .8rem 1rem; border-radius: 8px; margin: 1rem 0; background: #eef6f2 }
.bad { background: #fbeeee } iframe { width: 100%; height: 40rem; border: 1px solid var(--line); border-radius: 8px; background: #fff }
pre { white-space: pre-wrap; overflow-wrap: anywhere } nav { margin: 1rem 0 } nav a { margin-right: 1rem }
</style></head><body><main>{% block main %}{% endblock %}</main></body></html>"""
_INVOICE = """{% extends "layout" %}{% block main %}<div class="card narrow">
<p class="soft">{{ merchant }}</p><h1>Invoice {{ bill.number }}</h1>
<p class="big">{{ amount }}</p><p class="soft">For {{ person.name }}, billed {{ billed }}</p>
{% if told %}<p class="state{{ ' bad' if bad }}">{{ told }}</p>{% endif %}
{% if bill.status == "paid" %}<p class="state">This invoice is paid. Thank you!</p>
{% elif bill.status == "void" %}<p class="state">This invoice was cancelled. There is nothing to pay.</p>
{% else %}{% if bill.status == "uncollectible" %}<p class="state">This invoice was written off. You may still pay it.</p>{% endif %}
<form method="post">
<label><input type="radio" name="choice" value="saved" checked> Saved card: {{ card.brand|title }} ending in {{ card.last4 }}</label>
<label><input type="radio" name="choice" value="good"> New card 4242 4242 4242 4242 (pays)</label>
<label><input type="radio" name="choice" value="insufficient_funds"> New card 4000 0000 0000 9995 (insufficient funds)</label>
<label><input type="radio" name="choice" value="lost_card"> New card 4000 0000 0000 9987 (reported lost)</label>
<label><input type="radio" name="choice" value="generic_decline"> New card 4000 0000 0000 0002 (declined)</label>
<button>Pay {{ amount }}</button></form>{% endif %}
<p class="soft">An imaginary page: no real money moves here.</p></div>{% endblock %}"""
_INBOX = """{% extends "layout" %}{% block main %}<h1>Inbox</h1><div class="card">
<form method="get"><input name="to" value="{{ to }}" placeholder="Search by address" aria-label="Search by address">
<button>Search</button> <span class="soft">{{ total }} mail{{ "" if total == 1 else "s" }}</span></form></div>
<div class="card">{% if letters %}<table><thead><tr><th>#</th><th>To</th><th>Subject</th><th>Business time</th></tr></thead><tbody>
{% for one in letters %}<tr><td>{{ one.number }}</td><td>{{ one.recipients|join(", ") }}</td>
<td><a href="/inbox/{{ one.number }}">{{ one.subject or "(no subject)" }}</a></td><td class="soft">{{ time(one.at_business) }}</td></tr>
{% endfor %}</tbody></table>{% else %}<p class="soft">No mail {{ "for this address" if to else "has arrived yet" }}.</p>{% endif %}
<nav>{% if page > 1 %}<a rel="prev" href="?{{ query(page - 1) }}">Newer</a>{% endif %}
{% if more %}<a rel="next" href="?{{ query(page + 1) }}">Older</a>{% endif %}</nav></div>{% endblock %}"""
_LETTER = """{% extends "layout" %}{% block main %}<nav><a href="/inbox">All mail</a></nav><h1>{{ one.subject or "(no subject)" }}</h1>
<div class="card"><table><tbody><tr><th>From</th><td>{{ one.sender }}</td></tr><tr><th>To</th><td>{{ one.recipients|join(", ") }}</td></tr>
<tr><th>Business time</th><td>{{ time(one.at_business) }}</td></tr><tr><th>Arrived</th><td>{{ time(one.at_wall) }}</td></tr>
<tr><th>Customer</th><td>{{ one.customer or "unknown" }}</td></tr><tr><th>Invoice</th><td>{{ one.invoice or "none linked" }}</td></tr>
</tbody></table></div>
{% if one.html %}<div class="card"><iframe sandbox="allow-popups" title="HTML part" srcdoc="{{ one.html }}"></iframe></div>{% endif %}
{% if one.text %}<div class="card"><h1>Text part</h1><pre>{{ one.text }}</pre></div>{% endif %}
<div class="card"><h1>Headers</h1><table><tbody>{% for name, value in one.headers %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</tbody></table></div>{% endblock %}"""
_NOTHING = """{% extends "layout" %}{% block main %}<div class="card narrow"><h1>{{ title }}</h1>
<p class="soft">{{ told }}</p></div>{% endblock %}"""
_PAGES = Environment(
    loader=DictLoader({"layout": _LAYOUT, "invoice": _INVOICE, "inbox": _INBOX, "letter": _LETTER, "nothing": _NOTHING}),
    autoescape=True,
    trim_blocks=True,
)


def page(name: str, **values: Any) -> str:
    """The page of this name as HTML."""
    return _PAGES.get_template(name).render(**values)


def money(amount: int, currency: str) -> str:
    """Minor units as people read them: 1900 usd is "19.00 USD", 1980 jpy is "1,980 JPY"."""
    if currency in ZERO_DECIMAL:
        return f"{amount:,} {currency.upper()}"
    return f"{amount // 100:,}.{amount % 100:02d} {currency.upper()}"


def moment(at: float) -> str:
    """Unix seconds as a UTC date and time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
