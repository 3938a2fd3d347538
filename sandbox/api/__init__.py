"""The REST API of the imaginary Stripe, in the shapes the official SDK speaks."""
