"""Handlers of messages to customers and merchants: dunning, warnings, confirmations, suppression."""
