"""The content of mails, texts and alerts in four languages, from plain values. Pure."""
