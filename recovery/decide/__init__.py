"""The pure core: a fact comes in, the next row, effects and events come out, each with its reason."""
