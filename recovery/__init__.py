"""The language and the thinking of a recovery: contracts, policies and pure decisions; adapters are its only impure corner."""
