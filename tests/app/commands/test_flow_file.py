"""A CSV of flows: good lines are taken, every bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app.commands.flow_file import read_file
from streamgauge.model.errors import PayloadError


def read(tmp_path: Path, text: str | bytes) -> dict[int, object]:
    file = tmp_path / "flows.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {line.number: line.fault or line.item for line in read_file(file, 0.0)}


def test_lines_are_read_by_the_header_in_any_order(tmp_path: Path) -> None:
    text = (
        "calendar,Tenant,retired,expected_within\n"
        '"mon-fri 08:00-12:00, 13:00-17:00 Europe/Berlin",acme,,\n'
        "\n"
        "-,beta,YES,2h\n"
        ",  gamma  ,no,-\n"
    )
    assert read(tmp_path, text) == {
        2: {"tenant": "acme", "calendar": "mon-fri 08:00-12:00, 13:00-17:00 Europe/Berlin"},
        4: {"tenant": "beta", "calendar": None, "retired": True, "expected_within": "2h"},
        5: {"tenant": "gamma", "retired": False, "expected_within": None},
    }


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path) -> None:
    text = "\ufefftenant;source\r\nmüller;web\r\n"
    assert read(tmp_path, text) == {2: {"tenant": "müller", "source": "web"}}


def test_every_bad_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    text = (
        "tenant,calendar,paused_until,retired\n"
        "good,,,\n"
        ",mon 08:00-09:00,,\n"
        "acme,office hours,,\n"
        "acme,,next week,\n"
        "acme,,,perhaps\n"
        "acme,,,,more\n"
        '"two\nlines",,,yes\n'
    )
    found = read(tmp_path, text)
    assert found[2] == {"tenant": "good"}
    assert found[9] == {"tenant": "two\nlines", "retired": True}
    told = {number: fault for number, fault in found.items() if isinstance(fault, str)}
    assert {number: fault[:24] for number, fault in told.items()} == {
        3: "tenant: the customer's n",
        4: "calendar: 'office hours'",
        5: "paused_until: 'next week",
        6: "retired: must be true or",
        7: "5 cells, but the header ",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: a header with a column `tenant` is needed"),
        ("source\nweb\n", "line 1: a header with a column `tenant` is needed"),
        ("tenant,colour\n", "the column 'colour' is not known; accepted are tenant, source"),
        ("tenant,tenant\n", "a column stands there twice"),
        (b"tenant\n\xff\n", "cannot be read"),
    ],
    ids=["empty", "no tenant", "a strange column", "twice", "no text"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        read(tmp_path, text)
