"""Texts to customers by Twilio."""
