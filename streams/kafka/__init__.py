"""Faust's transport, changed so that each batch is one Kafka transaction, and what a shard reads of its partitions."""
