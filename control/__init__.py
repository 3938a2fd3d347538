"""The control plane; for now the read-only door to tenants, secrets and contacts."""
