"""The front door: the command line and the local stack. It starts the other parts as processes and imports none."""
