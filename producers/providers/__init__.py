"""One translator per provider: its messages in, our facts out, pure."""
