"""The control plane: the read-only door to accounts with their secrets and policies, and to payers' contacts."""
