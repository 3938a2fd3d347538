"""Effects on Stripe: its client, charges, reads and end actions."""
