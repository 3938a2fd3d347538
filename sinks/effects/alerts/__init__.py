"""Alerts to merchants by e-mail and in Slack, alone or in digests."""
