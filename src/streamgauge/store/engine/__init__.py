"""ClickHouse, embedded or a server: addresses, connections, errors in words, damaged files."""
