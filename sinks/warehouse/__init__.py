"""Writes every event to ClickHouse exactly once."""
