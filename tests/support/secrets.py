"""Webhook secrets for tests: as long as real ones, and told apart by what they are for."""

import base64
import hashlib


def a_secret(name: str) -> str:
    """A Standard Webhooks secret of 32 bytes that depends on the name alone."""
    return "whsec_" + base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
