"""Whether an opening or a click resembles a program: scanners, previews, prefetching. They prove nothing (B81). Pure."""

import re
from collections.abc import Mapping

SOON = 5
"""Seconds (business time) after sending within which no person has read a mail: openings in that time are of gateways that scan it on
arrival."""
READ_OF_AGENT = 1_024
"""Characters of the agent's name that are searched."""
_AGENTS = re.compile(
    r"bot\b|crawl|spider|slurp|preview|scan|barracuda|mimecast|proofpoint|safelinks|symantec|forcepoint|trendmicro|sophos|fireeye|ironport"
    r"|facebookexternalhit|whatsapp|skypeuripreview|headless|phantomjs|curl/|wget/|python-|go-http-client|java/|okhttp|libwww|axios|node-fetch"
    r"|httpclient|guzzle|ruby|monitor|validator",
    re.IGNORECASE,
)


def machine(method: str, headers: Mapping[str, str], seconds_since_sent: float, others_at_once: bool) -> str:
    """The sign of a program in one word, empty for what may be a person. Header names are lower case.

    head, prefetch, agent, no_agent, too_soon, or many_links: `others_at_once` means that other links of the message were followed just now.
    """
    agent = headers.get("user-agent", "")[:READ_OF_AGENT].strip()
    if method == "HEAD":
        return "head"
    if any("prefetch" in headers.get(name, "").lower() for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")):
        return "prefetch"
    if not agent:
        return "no_agent"
    if _AGENTS.search(agent):
        return "agent"
    if seconds_since_sent < SOON:
        return "too_soon"
    return "many_links" if others_at_once else ""
