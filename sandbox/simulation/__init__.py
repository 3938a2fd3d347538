"""The world of the imaginary Stripe: customers, banks, bills and payments, drawn from a seed. Pure."""
