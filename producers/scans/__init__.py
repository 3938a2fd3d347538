"""Scheduled scans of a merchant's subscriptions."""
