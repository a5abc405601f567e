"""The embedded engine behind ClickHouse's HTTP protocol, for a process of its own.

The program that owns it speaks to it as to any ClickHouse server; the tests use it to run the
network path. It serves what `clickhouse-connect` asks, on the loopback, to one user.
"""
