"""Pages of mail from the templates beside this file: one base with header, paper and footer, and what each kind of mail puts on it. Pure.

A template is filled twice. The first filling, between `[[ ]]` and `[% %]`, puts base, parts, style and colours together; it is done once
for a template and a palette, and moves the style into the tags, which mail programs want and which costs 20 ms. The second, between
`{{ }}` and `{% %}`, is the mail itself; whatever it brings is escaped.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache

import jinja2
import premailer

from recovery.presentation.messages.colours import Palette

_MARK = "https://link.invalid/"
"""Replaces an address while the style is moved into the tags, because that step would break a template expression in a href."""
_ADDRESS = re.compile(r'(href|src)="{{ *(\w+) *}}"')
_MARKED = re.compile(rf'(href|src)="{re.escape(_MARK)}(\w+)"')


def html(template: str, palette: Palette, fields: Mapping[str, object]) -> str:
    """The HTML page of a template such as `reminder.html`. Raises jinja2.UndefinedError when a field is missing."""
    return _page(template, palette).render(fields)


def plain(template: str, fields: Mapping[str, object]) -> str:
    """The text of a template such as `reminder.txt`. Raises jinja2.UndefinedError when a field is missing."""
    return _plain(template).render(fields)


@lru_cache(maxsize=256)
def _page(template: str, palette: Palette) -> jinja2.Template:
    source = _ADDRESS.sub(rf'\1="{_MARK}\2"', _assembling().get_template(template).render(palette=palette))
    inlined = premailer.Premailer(
        source,
        keep_style_tags=True,
        remove_classes=False,
        strip_important=False,
        disable_validation=True,
        cssutils_logging_level="CRITICAL",
        disable_leftover_css=False,
        disable_basic_attributes=["width", "height"],  # the tags have those that old programs need, the style has the others
    ).transform()
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(_MARKED.sub(r'\1="{{ \2 }}"', inlined))


@cache
def _plain(template: str) -> jinja2.Template:
    plain = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - no HTML
    return plain.from_string(_assembling().get_template(template).render())


@cache
def _assembling() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("recovery.presentation.messages"),
        autoescape=False,  # noqa: S701 - it reads our own files and checked colours only
        undefined=jinja2.StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
