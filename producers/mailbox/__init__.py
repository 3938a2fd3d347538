"""Returned mails: the mailbox that is polled, and the customer that each one is about."""
