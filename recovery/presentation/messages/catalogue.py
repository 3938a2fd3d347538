"""`python -m recovery.presentation.messages.catalogue` collects the texts for translators in locale/mail.pot and updates each mail.po."""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from recovery.presentation.brand import LANGUAGES

HERE = Path(__file__).parent
SOURCES = ("mail_texts.py", "sms_text.py")
"""The modules whose texts payers read."""


def template() -> Catalog:
    """All texts in `N_( )`, in their order, with the translators' notes that stand before them."""
    catalogue = Catalog(fuzzy=False)
    for name in SOURCES:
        found = extract_from_file("python", HERE / name, keywords={"N_": None}, comment_tags=("Translators:",), strip_comment_tags=True)
        for line, message, comments, _context in found:
            catalogue.add(message, locations=[(f"recovery/presentation/messages/{name}", line)], auto_comments=comments)
    return catalogue


def updated(language: str, texts: Catalog) -> Catalog:
    """A language's catalogue with exactly the template's texts; what was translated stays, what is new is empty."""
    path = path_of(language)
    catalogue = read_po(io.BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language, fuzzy=False)
    catalogue.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def path_of(language: str) -> Path:
    """Where a language's catalogue is; the template's when the language is empty."""
    return HERE / "locale" / language / "LC_MESSAGES" / "mail.po" if language else HERE / "locale" / "mail.pot"


def written(catalogue: Catalog) -> bytes:
    """The catalogue as a file: without line numbers and dates, so that only changes of texts are changes of the file."""
    into = io.BytesIO()
    catalogue.project, catalogue.version, catalogue.header_comment = "Dunlin", "mails", _ABOUT
    write_po(into, catalogue, width=110, include_lineno=False, omit_header=False)
    lines = into.getvalue().decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_UNSAID)).encode()


def main() -> int:
    """Write all files and print what is left to translate. Returns 1 while anything is."""
    texts, missing = template(), 0
    for language in ("", *LANGUAGES[1:]):
        catalogue = updated(language, texts) if language else texts
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        path_of(language).write_bytes(written(catalogue))
        empty = [message.id for message in catalogue if language and message.id and not message.string]
        missing += len(empty)
        sys.stdout.write(f"{path_of(language).relative_to(HERE)}: {len(catalogue)} texts, {len(empty)} to translate\n")
    return 1 if missing else 0


_UNSAID = tuple(
    f'"{name}' for name in ("POT-Creation-Date", "PO-Revision-Date", "Generated-By", "Last-Translator", "Language-Team", "Report-M")
)
_ABOUT = "# Mails to customers. docs/mail.md says how to edit this file. After a change of texts: make catalogue."

if __name__ == "__main__":
    sys.exit(main())
