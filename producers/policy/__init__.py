"""Policies and pauses, published to every partition of `facts`."""
