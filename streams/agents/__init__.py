"""The agents, each a plain function over batches of a shard."""
