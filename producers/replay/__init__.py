"""Dead letters, redriven."""
