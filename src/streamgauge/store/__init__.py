"""The only folder that knows ClickHouse: engine, migrations, journal, writer, queries."""
