"""The local stack: its services, their supervisor, and where they live on this machine."""
