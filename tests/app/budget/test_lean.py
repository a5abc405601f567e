"""A process that keeps itself small: looked at in processes of their own."""

from __future__ import annotations

import subprocess
import sys

FREED = """
import pyarrow as pa
from streamgauge.app.budget.lean import allocate_sparingly, give_back
from streamgauge.testing.process import anonymous_bytes
allocate_sparingly()
before = anonymous_bytes()
kept = [bytes(1000) for _ in range(100_000)]
tables = [pa.array(range(10_000)) for _ in range(100)]
assert anonymous_bytes() - before > 90_000_000
last = (kept.pop(), tables.pop())
del kept, tables
give_back()
print(anonymous_bytes() - before)
"""


def _printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_is_freed_goes_back_to_the_system() -> None:
    assert int(_printed(FREED)) < 20_000_000


def test_everything_starts_without_pandas() -> None:
    program = "import sys, streamgauge.app.up; print('pandas' in sys.modules)"
    assert _printed(program) == "False"


def test_the_process_of_the_engine_reads_only_what_it_serves_with() -> None:
    program = (
        "import sys, streamgauge.store.host.server as _\n"
        "print({'polars', 'pandas', 'clickhouse_connect'} & sys.modules.keys())"
    )
    assert _printed(program) == "set()"
