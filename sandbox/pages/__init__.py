"""Pages for people: the hosted invoice and the inbox."""
