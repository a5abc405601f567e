"""What detection is fed, as a zip of Arrow files: how one process gives it to another."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import pyarrow as pa
from pyarrow import ipc

from streamgauge.model.feed import Delta, History

MEDIA_TYPE = "application/zip"
_NUMBERS = "numbers.json"
_SUFFIX = ".arrow"


def pack_delta(delta: Delta) -> bytes:
    """Some minutes; `unpack_delta` reads them again."""
    return _packed(_tables(delta), {"newest_ns": delta.newest_ns})


def pack_history(past: History) -> bytes:
    """All of the past; `unpack_history` reads it again."""
    tables = _tables(past.recent) | {
        "hours": past.hours,
        "seen": pa.table({"minute": past.seen_minutes}),
    }
    optional = {"router_hours": past.routers, "latency_hours": past.latencies}
    tables |= {name: table for name, table in optional.items() if table is not None}
    numbers = {"newest_ns": past.recent.newest_ns, "recent_from_minute": past.recent_from_minute}
    return _packed(tables, numbers)


def unpack_delta(body: bytes) -> Delta:
    """Some minutes."""
    return _delta(*_unpacked(body))


def unpack_history(body: bytes) -> History:
    """All of the past."""
    tables, numbers = _unpacked(body)
    return History(
        hours=tables["hours"],
        recent=_delta(tables, numbers),
        recent_from_minute=numbers["recent_from_minute"],
        seen_minutes=tables["seen"].column("minute").combine_chunks(),
        routers=tables.get("router_hours"),
        latencies=tables.get("latency_hours"),
    )


def _tables(delta: Delta) -> dict[str, pa.Table]:
    tables = {"minutes": delta.minutes, "queues": delta.queues}
    optional = {"routers": delta.routers, "latencies": delta.latencies}
    return tables | {name: table for name, table in optional.items() if table is not None}


def _delta(tables: Mapping[str, pa.Table], numbers: Mapping[str, int]) -> Delta:
    return Delta(
        tables["minutes"],
        tables["queues"],
        numbers["newest_ns"],
        tables.get("routers"),
        tables.get("latencies"),
    )


def _packed(tables: Mapping[str, pa.Table], numbers: Mapping[str, int]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_NUMBERS, json.dumps(numbers))
        for name, table in tables.items():
            sink = io.BytesIO()
            # One dictionary a column: a file of this format cannot replace one.
            with ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table.unify_dictionaries().combine_chunks())
            archive.writestr(name + _SUFFIX, sink.getvalue())
    return body.getvalue()


def _unpacked(body: bytes) -> tuple[dict[str, pa.Table], dict[str, int]]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        numbers: dict[str, int] = json.loads(archive.read(_NUMBERS))
        tables = {
            name.removesuffix(_SUFFIX): ipc.open_file(pa.py_buffer(archive.read(name))).read_all()
            for name in archive.namelist()
            if name.endswith(_SUFFIX)
        }
    return tables, numbers
