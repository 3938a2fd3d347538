"""One question per page."""
