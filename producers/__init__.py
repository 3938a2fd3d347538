"""Everything that puts outside facts on Kafka: the webhook gateway, the ticker, policies and replays."""
