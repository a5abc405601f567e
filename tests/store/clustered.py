"""As much of a cluster as the embedded engine can be: Distributed tables over shards of its own.

It knows `remote_servers`, and asks a shard whose address is its own without a network. What only a
server can do is taken out on the way to it: ON CLUSTER (it has no queue of DDL) and replication (a
replicated table is made, but it cannot be inserted into: there is no port for other replicas).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chdb.state.sqlitelike import Connection

from streamgauge.store.host.process import USER
from streamgauge.store.host.questions import Question
from streamgauge.store.host.server import EngineServer
from streamgauge.store.host.sessions import Answer, Sessions

PASSWORD = "known to the tests"
_SHARD = """<shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>9000</port></replica></shard>"""
CONFIG = f"""<clickhouse><tcp_port>9000</tcp_port><remote_servers>
<one>{_SHARD}</one><two>{_SHARD}{_SHARD}</two></remote_servers></clickhouse>"""
_ON_CLUSTER = re.compile(r" ON CLUSTER `\w+`")
_REPLICATED = re.compile(r"Replicated(\w*)MergeTree\('[^']*', '[^']*'(?:, )?")
_WINDOWS = re.compile(
    r"replicated_deduplication_window = \d+, replicated_deduplication_window_seconds = \d+"
)


def on_one_server(sql: str) -> str:
    """A statement for a cluster without what only servers do."""
    sql = _REPLICATED.sub(r"\1MergeTree(", _ON_CLUSTER.sub("", sql))
    return _WINDOWS.sub("non_replicated_deduplication_window = 1000", sql)


class AloneSessions(Sessions):
    """Takes out what needs more than one server."""

    def run(self, question: Question) -> Answer:
        """Answer it."""
        return super().run(replace(question, statement=on_one_server(question.statement)))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """An engine with the clusters `one` and `two` (shards); its address without a database."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.xml"
    config.write_text(CONFIG)
    path = f"{folder / 'engine'}?config-file={config}"
    held = Connection(path)  # were all closed, an engine opened anew would not read its config
    server = EngineServer(path, PASSWORD, ("127.0.0.1", 0))
    server.sessions.__class__ = AloneSessions
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        secret = PASSWORD.replace(" ", "%20")
        yield f"clickhouse://{USER}:{secret}@127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        held.close()
