"""Mails to customers: recipients, content as bytes, tracking links and the mail server."""
