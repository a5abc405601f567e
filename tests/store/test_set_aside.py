"""What was set aside: listed with its reason, put back when somebody says so, counted once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.store.lines import NOW
from tests.store.test_journal import body_of, opened

from streamgauge.model.errors import StoreError
from streamgauge.store.journal.journal import Journal
from streamgauge.store.journal.records import encode_body
from streamgauge.store.writer.restoring import restore
from streamgauge.store.writer.setaside import SetAside

ROWS = pa.table({"minute": [1], "lines": pa.array([5], pa.uint64()), "last_ns": [60]})


class Tables:
    """Takes inserts by token, as the engine does, or refuses."""

    def __init__(self, error: StoreError | None = None) -> None:
        self.error, self.taken = error, {}

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        if self.error is not None:
            raise self.error
        self.taken.setdefault((table_name, token), rows)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = opened(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def aside(tmp_path: Path) -> SetAside:
    made = SetAside(tmp_path / "set-aside")
    made.keep_rows("minute", ROWS, "token", "column is missing")
    made.keep_body(7, 3, bytes(encode_body(body_of("a", lines=3))), "a mistake of ours")
    return made


def want_all(aside: SetAside) -> None:
    for one in aside.listed():
        aside.want_again(one.path)


def test_the_list_says_what_is_there_and_why(aside: SetAside) -> None:
    told = {(one.table_name, one.row_count, one.reason) for one in aside.listed()}
    assert told == {("minute", 1, "column is missing"), ("", 3, "a mistake of ours")}
    assert "4 rows were set aside" in aside.notice()
    assert "4 rows" in SetAside(aside.folder).notice(), "also after a restart"


def test_what_nobody_wants_again_stays(aside: SetAside, journal: Journal) -> None:
    assert restore(aside, Tables(), journal, NOW) == 0
    assert len(aside.listed()) == 2


def test_rows_go_in_under_their_token_and_bodies_through_the_journal(
    aside: SetAside, journal: Journal
) -> None:
    tables = Tables()
    want_all(aside)
    assert restore(aside, tables, journal, NOW) == 2
    assert tables.taken == {("minute", "token"): ROWS}
    assert journal.pending() == (1, 3)
    assert aside.notice() == ""
    assert [path for path in aside.folder.rglob("*") if path.is_file()] == []


def test_a_crash_before_the_file_is_forgotten_does_not_double_it(
    aside: SetAside, journal: Journal, tmp_path: Path
) -> None:
    tables = Tables()
    want_all(aside)
    copies = {path: path.read_bytes() for path in aside.wanted()}
    restore(aside, tables, journal, NOW)
    for path, content in copies.items():
        path.write_bytes(content)
    restore(aside, tables, journal, NOW)
    assert len(tables.taken) == 1
    assert journal.pending() == (1, 3)


@pytest.mark.parametrize(
    ("is_permanent", "listed"),
    [
        pytest.param(True, 1, id="what is refused for what it is goes back, with the new reason"),
        pytest.param(False, 0, id="what is refused for now stays wanted"),
    ],
)
def test_a_refusal(aside: SetAside, journal: Journal, is_permanent: bool, listed: int) -> None:
    tables = Tables(StoreError("still no such column", permanent=is_permanent))
    want_all(aside)
    if is_permanent:
        restore(aside, tables, journal, NOW)
        assert [one.reason for one in aside.listed()] == ["still no such column"]
    else:
        with pytest.raises(StoreError):
            restore(aside, tables, journal, NOW)
    assert len(aside.listed()) == listed


def test_a_file_that_is_no_table_goes_back_and_says_so(aside: SetAside, journal: Journal) -> None:
    (aside.folder / "token-minute.arrow").write_bytes(b"nonsense")
    want_all(aside)
    restore(aside, Tables(), journal, NOW)
    (one,) = aside.listed()
    assert (one.table_name, one.row_count) == ("minute", 0)
    assert one.reason
