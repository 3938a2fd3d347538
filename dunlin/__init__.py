"""The command line and the local stack. It starts the services as processes of their own; commands import recovery, control, streams and
sinks where they need them."""
