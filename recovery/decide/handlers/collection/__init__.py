"""Handlers of money: invoices, retries, payments, refunds, and how a case opens and closes."""
