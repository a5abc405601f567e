"""The same SQL on a cluster of ClickHouse servers: what the store says of a table, for all of them.

The store is written for one server. On a cluster each table becomes two of its name: in database
`…_local` the rows, replicated within a shard, and in the database itself a Distributed table over
all shards, which is asked and inserted into. So statements about parts go to the first on every
server, questions and inserts need not change. Text in, text out; `store.engine` runs it.
"""

# ruff: noqa: S608 - statements are our own, names are quoted
from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

from streamgauge.model.errors import StoreError

REGISTER = "schema_migrations"
"""Small and asked by name: every server holds all of it."""
DEDUPLICATION_WINDOW = 10_000
"""Inserts a shard remembers: many writers share it, where one process has 1,000 to itself."""
DEDUPLICATION_WINDOW_S = 604_800
"""A receiver that comes back within a week still repeats its insert without doubling it."""
SETTINGS: dict[str, int | str] = {
    "distributed_product_mode": "global",  # IN (SELECT …) is asked once and sent to every shard
    "distributed_foreground_insert": 1,  # an insert is done when every shard has its part
    "parallel_distributed_insert_select": 2,  # migrations move rows within their shard
    "distributed_ddl_output_mode": "none",
    "prefer_localhost_replica": 1,
}
"""Of every connection. Source: ClickHouse, docs, Distributed table engine; session settings."""
SHARD_KEYS = (("tenant",), ("db", "measurement", "tags", "field"), ("token",))
"""The first whose columns a table has all of; else its sorting key's first column."""

_CREATE = re.compile(
    r"\s*CREATE TABLE IF NOT EXISTS (?P<name>\w+)\s*(?P<columns>\(.*\))\s*"
    r"ENGINE = (?P<kind>\w*)MergeTree(?:\((?P<arguments>[^)]*)\))?(?P<rest>.*)",
    re.DOTALL,
)
_ALTER = re.compile(r"\s*ALTER TABLE (?P<name>\w+)\s+(?P<rest>.*)", re.DOTALL)
_COLUMN_CHANGE = re.compile(r"(ADD|DROP|RENAME|MODIFY|COMMENT)\s+COLUMN\b")
_DROP = re.compile(r"\s*DROP TABLE IF EXISTS (?P<name>\w+)\s*(SYNC)?\s*")
_TRUNCATE = re.compile(r"\s*TRUNCATE TABLE (?P<exists>IF EXISTS )?(?P<name>\w+)\s*")
_EXCHANGE = re.compile(r"\s*EXCHANGE TABLES (?P<one>\w+) AND (?P<other>\w+)\s*")
_DELETE = re.compile(r"\s*DELETE FROM (?P<name>\w+)\s+(?P<rest>.*)", re.DOTALL)
_INSERT = re.compile(r"\s*INSERT INTO (?P<name>\w+)\b", re.DOTALL)
_ORDER = re.compile(r"ORDER BY\s+\(?\s*(\w+)")
_COLUMN = re.compile(r"^\s*(\w+)\s+[A-Z]", re.MULTILINE)
_PARTS = re.compile(r"\bsystem\.(parts|parts_columns|mutations|merges|disks|replicas)\b")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as `system.clusters` names it, and the database of our tables there."""

    name: str
    database: str
    keys: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """What shards the tables made so far: one that is exchanged brings its own."""

    @property
    def local(self) -> str:
        """The database of the tables that hold rows."""
        return f"{self.database}_local"

    def opening(self) -> list[str]:
        """What must be there before anything else."""
        return [
            f"CREATE DATABASE IF NOT EXISTS {_quoted(database)} {self._everywhere}"
            for database in (self.local, self.database)
        ]

    def question(self, sql: str) -> str:
        """A SELECT as it is asked: what a server tells of itself is asked of all of them."""
        sql = sql.replace("currentDatabase()", _text(self.local))
        sql = _PARTS.sub(lambda found: f"{self._of_all('system', found[1])}", sql)
        return re.sub(rf"\bFROM {REGISTER}\b", f"FROM {self._of_all(self.database, REGISTER)}", sql)

    def statements(self, sql: str) -> list[str]:
        """What is run in place of a statement of ours, in order; each can be repeated.

        Raises:
            StoreError: it is of a kind whose meaning on a cluster was never thought about.
        """
        for pattern, render in (
            (_CREATE, self._create),
            (_ALTER, self._alter),
            (_DROP, self._drop),
            (_TRUNCATE, self._truncate),
            (_EXCHANGE, self._exchange),
            (_DELETE, self._delete),
            (_INSERT, self._insert),
        ):
            if found := pattern.match(sql):
                return render(found)
        begin = " ".join(sql.split()[:4])
        raise StoreError(f"not possible on a cluster: {begin} …", permanent=True)

    @property
    def _everywhere(self) -> str:
        return f"ON CLUSTER {_quoted(self.name)}"

    def _of_all(self, database: str, table: str) -> str:
        return f"clusterAllReplicas({_text(self.name)}, {database}.{table})"

    def _rows_of(self, name: str) -> str:
        return f"{_quoted(self.local)}.{_quoted(name)}"

    def _create(self, found: re.Match[str]) -> list[str]:
        name, columns = found["name"], found["columns"]
        if name == REGISTER:
            return [self._stored(found, self.database, "all", "{shard}-{replica}")]
        self.keys[name] = key = shard_key(columns, found["rest"])
        return [
            self._stored(found, self.local, "{shard}", "{replica}"),
            f"CREATE TABLE IF NOT EXISTS {_quoted(self.database)}.{_quoted(name)} "
            f"{self._everywhere} AS {self._rows_of(name)} ENGINE = {self._distributed(name, key)}",
        ]

    def _stored(self, found: re.Match[str], database: str, shard: str, replica: str) -> str:
        """The table with rows. Its path in Keeper is made of the statement: repeated, it joins the
        same table; another table that once took the name is another path.
        """
        name = found["name"]
        digest = sha256(" ".join(found[0].split()).encode()).hexdigest()[:12]
        path = f"/clickhouse/tables/{shard}/{self.database}/{name}-{digest}"
        arguments = [_text(path), _text(replica), *filter(None, [found["arguments"]])]
        engine = f"Replicated{found['kind']}MergeTree({', '.join(arguments)})"
        return (
            f"CREATE TABLE IF NOT EXISTS {_quoted(database)}.{_quoted(name)} {self._everywhere} "
            f"{found['columns']} ENGINE = {engine}{_replicated_settings(found['rest'])}"
        )

    def _distributed(self, name: str, key: str) -> str:
        names = ", ".join(map(_text, (self.name, self.local, name)))
        return f"Distributed({names}, {key})"

    def _alter(self, found: re.Match[str]) -> list[str]:
        name, rest = found["name"], found["rest"]
        altered = [f"ALTER TABLE {self._rows_of(name)} {self._everywhere} {rest}"]
        if _COLUMN_CHANGE.match(rest):
            # The Distributed table knows names and types alone.
            change = re.sub(r"\s+CODEC\((?:[^()]|\([^()]*\))*\)", "", rest)
            view = f"{_quoted(self.database)}.{_quoted(name)}"
            altered.append(f"ALTER TABLE {view} {self._everywhere} {change}")
        return altered

    def _drop(self, found: re.Match[str]) -> list[str]:
        tables = (
            f"{_quoted(self.database)}.{_quoted(found['name'])}",
            self._rows_of(found["name"]),
        )
        return [f"DROP TABLE IF EXISTS {table} {self._everywhere} SYNC" for table in tables]

    def _truncate(self, found: re.Match[str]) -> list[str]:
        exists = found["exists"] or ""
        return [f"TRUNCATE TABLE {exists}{self._rows_of(found['name'])} {self._everywhere} SYNC"]

    def _exchange(self, found: re.Match[str]) -> list[str]:
        """Rows change names; the Distributed table is made anew, with the columns they have now."""
        name, other = found["one"], found["other"]
        if other not in self.keys:
            raise StoreError(
                f"not possible on a cluster: {other} was not just made", permanent=True
            )
        return [
            f"EXCHANGE TABLES {self._rows_of(name)} AND {self._rows_of(other)} {self._everywhere}",
            f"CREATE OR REPLACE TABLE {_quoted(self.database)}.{_quoted(name)} {self._everywhere} "
            f"AS {self._rows_of(name)} ENGINE = {self._distributed(name, self.keys[other])}",
        ]

    def _delete(self, found: re.Match[str]) -> list[str]:
        return [f"DELETE FROM {self._rows_of(found['name'])} {self._everywhere} {found['rest']}"]

    def _insert(self, found: re.Match[str]) -> list[str]:
        return [found.string.strip()]


def shard_key(columns: str, rest: str) -> str:
    """What decides a row's shard: a hash that the same row has again when it is sent again.

    Args:
        columns: of a CREATE TABLE, in their brackets.
        rest: what stands behind its engine.

    Raises:
        StoreError: nothing to hash by.
    """
    names = set(_COLUMN.findall(columns.strip("()")))
    for key in SHARD_KEYS:
        if names.issuperset(key):
            return f"cityHash64({', '.join(key)})"
    order = _ORDER.search(rest)
    if order is None:
        raise StoreError("not possible on a cluster: a table without a sorting key", permanent=True)
    return f"cityHash64({order[1]})"


def _replicated_settings(rest: str) -> str:
    windows = (
        f"replicated_deduplication_window = {DEDUPLICATION_WINDOW}, "
        f"replicated_deduplication_window_seconds = {DEDUPLICATION_WINDOW_S}"
    )
    return re.sub(r"non_replicated_deduplication_window = \d+", windows, rest)


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
