"""What the store says of a table, as a cluster is told it: rendered, parsed by ClickHouse's parser,
and run on Distributed tables as far as the embedded engine has them (`clustered`)."""

from __future__ import annotations

import re
from pathlib import Path

import chdb
import pytest

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.cluster import REGISTER, Cluster
from streamgauge.store.migrate import Migration, known_migrations

GOLDEN = Path(__file__).parent / "golden"
MIGRATIONS = list(known_migrations())

CASES = {
    "a partition is dropped on every server": (
        "ALTER TABLE minute DROP PARTITION 2600",
        ["ALTER TABLE `sg_local`.`minute` ON CLUSTER `c` DROP PARTITION 2600"],
    ),
    "a setting belongs to the tables with rows": (
        "ALTER TABLE queue MODIFY SETTING fsync_after_insert = 1",
        ["ALTER TABLE `sg_local`.`queue` ON CLUSTER `c` MODIFY SETTING fsync_after_insert = 1"],
    ),
    "a column is added to both tables, its codec to one": (
        "ALTER TABLE queue ADD COLUMN IF NOT EXISTS x Int64 CODEC(Delta(8), ZSTD)",
        [
            "ALTER TABLE `sg_local`.`queue` ON CLUSTER `c` "
            "ADD COLUMN IF NOT EXISTS x Int64 CODEC(Delta(8), ZSTD)",
            "ALTER TABLE `sg`.`queue` ON CLUSTER `c` ADD COLUMN IF NOT EXISTS x Int64",
        ],
    ),
    "rows are deleted where they are": (
        "DELETE FROM seen_minute WHERE minute < {minute:Int64}",
        ["DELETE FROM `sg_local`.`seen_minute` ON CLUSTER `c` WHERE minute < {minute:Int64}"],
    ),
    "a table is emptied where its rows are": (
        "TRUNCATE TABLE hour",
        ["TRUNCATE TABLE `sg_local`.`hour` ON CLUSTER `c` SYNC"],
    ),
    "a table is dropped with what stands before it": (
        "DROP TABLE IF EXISTS minute_next",
        [
            "DROP TABLE IF EXISTS `sg`.`minute_next` ON CLUSTER `c` SYNC",
            "DROP TABLE IF EXISTS `sg_local`.`minute_next` ON CLUSTER `c` SYNC",
        ],
    ),
    "an insert goes through the Distributed table as it is": (
        "INSERT INTO hour (hour) SELECT minute FROM minute",
        ["INSERT INTO hour (hour) SELECT minute FROM minute"],
    ),
}

QUESTIONS = {
    "parts are those of all servers": (
        "SELECT name FROM system.parts WHERE database = currentDatabase()",
        "SELECT name FROM clusterAllReplicas('c', system.parts) WHERE database = 'sg_local'",
    ),
    "tables are the same everywhere": (
        "SELECT name FROM system.tables WHERE database = currentDatabase()",
        "SELECT name FROM system.tables WHERE database = 'sg_local'",
    ),
    "migrations have run if any server says so": (
        "SELECT number FROM schema_migrations",
        "SELECT number FROM clusterAllReplicas('c', sg.schema_migrations)",
    ),
    "rows are asked of the Distributed table as they are": (
        "SELECT count() FROM minute",
        "SELECT count() FROM minute",
    ),
}


@pytest.mark.parametrize(("sql", "expected"), CASES.values(), ids=CASES.keys())
def test_a_statement_is_for_all_servers(sql: str, expected: list[str]) -> None:
    assert Cluster("c", "sg").statements(sql) == expected


@pytest.mark.parametrize(("sql", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_is_for_all_servers(sql: str, expected: str) -> None:
    assert Cluster("c", "sg").question(sql) == expected


def test_a_statement_nobody_thought_about_is_refused() -> None:
    with pytest.raises(StoreError, match="not possible on a cluster: OPTIMIZE TABLE minute FINAL"):
        Cluster("c", "sg").statements("OPTIMIZE TABLE minute FINAL")


def test_names_cannot_leave_their_quotes() -> None:
    first = Cluster("c` SYNC; DROP", "sg").opening()[0]
    assert first == "CREATE DATABASE IF NOT EXISTS `sg_local` ON CLUSTER `c\\` SYNC; DROP`"


def rendered(cluster: Cluster, migration: Migration) -> list[str]:
    made = []
    for statement in migration.statements:
        made += [cluster.question(statement.condition)] if statement.condition else []
        made += cluster.statements(statement.sql)
    return made


@pytest.mark.parametrize("number", [1, 8], ids=["the first tables", "hops and errors"])
def test_a_migration_is_rendered_as_it_was_looked_through(number: int) -> None:
    (migration,) = (one for one in MIGRATIONS if one.number == number)
    text = ";\n\n".join(rendered(Cluster("gauges", "sg"), migration)) + ";\n"
    assert text == (GOLDEN / f"{number:04}_on_a_cluster.sql").read_text()


@pytest.mark.chdb
@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda migration: migration.name)
def test_every_migration_is_understood_by_the_parser(migration: Migration) -> None:
    statements = rendered(Cluster("gauges", "sg"), migration)
    for statement in statements:
        chdb.query(f"SELECT formatQuery($sql${statement}$sql$)")


def test_rows_move_within_their_shard() -> None:
    """`parallel_distributed_insert_select = 2` keeps them there: where a later row replaces an
    earlier one, or is kept as it came, both tables need one key. Sums may be added up anywhere."""
    cluster, additive = Cluster("gauges", "sg"), set()
    for migration in MIGRATIONS:
        rendered(cluster, migration)
        for statement in migration.statements:
            made = re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", statement.sql)
            if made and "ENGINE = AggregatingMergeTree" in statement.sql:
                additive.add(made[1])
            moved = re.match(r"INSERT INTO (\w+)\b.*?\bFROM (\w+)", statement.sql, re.DOTALL)
            if moved and moved[1] not in additive:
                assert cluster.keys[moved[1]] == cluster.keys[moved[2]], statement.sql


def test_a_table_made_twice_under_one_name_has_two_places_in_keeper() -> None:
    paths = [
        re.findall(r"'(/clickhouse[^']*)'", Cluster("c", "sg").statements(sql)[0])[0]
        for sql in (
            f"CREATE TABLE IF NOT EXISTS t ({column}) ENGINE = MergeTree ORDER BY a"
            for column in ("\n    a Int64", "\n    a  Int64", "\n    a UInt64")
        )
    ]
    assert paths[0] == paths[1] != paths[2]


def test_every_server_keeps_the_register_of_migrations() -> None:
    (sql,) = Cluster("c", "sg").statements(
        f"CREATE TABLE IF NOT EXISTS {REGISTER}\n(n UInt32) ENGINE = MergeTree ORDER BY n"
    )
    assert "'{shard}-{replica}'" in sql
    assert "{shard}/" not in sql
