"""The control plane: read-only access to accounts with their secrets and policies, and to customers' contacts."""
