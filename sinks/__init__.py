"""Everything that leaves: rows for ClickHouse, and effects on the world."""
