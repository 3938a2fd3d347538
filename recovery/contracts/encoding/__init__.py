"""Bytes from structs and back: JSON for messages, a compressed row for a customer's state."""
