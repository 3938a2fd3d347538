"""What travels between the parts: facts, effects, events, rows, and the table of topics that carry them."""
