"""Which e-mail addresses we write to: the plain ones that all mail programs and servers read alike (RFC 5321, no rarities). Pure."""

import re

LONGEST = 254
"""Characters of an address that a mail server takes (RFC 5321)."""
_ATOM = r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?=[0-9-]*[A-Za-z]){_LABEL}")


def is_address(text: str) -> bool:
    """Whether mail can be sent there as things are: one address in ASCII, unquoted, that no header takes for an encoded word."""
    return len(text) <= LONGEST and "=?" not in text and _ADDRESS.fullmatch(text) is not None
