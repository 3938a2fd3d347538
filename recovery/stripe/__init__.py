"""Stripe's objects, which are plain dicts of unknown content, read into our types. Pure."""
