"""The embedded ClickHouse engine with its own HTTP interface: `python -m dunlin.clickhouse_server --root DIR`."""
