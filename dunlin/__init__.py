"""The front door: the command line and the local stack. Starts the other parts as processes and imports none of them."""
