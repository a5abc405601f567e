"""Personal data is taken out of what every way in takes, before the store sees it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.gates import gates_of
from streamgauge.receive.influx import parse
from streamgauge.receive.intake import Intake, Origin
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.messages.redaction import Redaction, RedactRule
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.receive.redacting import redacted
from streamgauge.testing.receiving import MemorySink

NOW = 1_800_000_000
USERS = RedactRule(r"user-\d+", "user-…", ("text",))


def parsed_of(*lines: str) -> Parsed:
    return parse("\n".join(lines).encode(), precision="s", db="", received_at_ns=NOW * 10**9)


def kept(*lines: str, redaction: Redaction | None = None) -> Any:
    """What the store is given."""
    sink, body = MemorySink(), "\n".join(lines).encode()
    intake = Intake(sink, gates_of(SimulatedClock(NOW), ReceiveLimits()), redaction)
    intake.take(Origin("/write"), body, lambda _: parsed_of(*lines))
    (told,) = sink.bodies
    return told


def texts(parsed: Parsed) -> dict[str, str | None]:
    points = parsed.batch.points.to_pylist()
    return {f"{row['measurement']}.{row['field']}": row["text"] for row in points}


def test_error_texts_of_messages_are_clean_and_others_stay_as_sent() -> None:
    told = kept(
        'messages,tenant=acme count=1i,error="no inbox jo@example.com",note="of jo@example.com"',
        'messages,tenant=acme count=1i,reason="token=abcdef123456"',
        'log,tenant=acme error="of jo@example.com",size=5',
    )
    assert texts(told) == {
        "messages.error": "no inbox [e-mail]",
        "messages.note": "of jo@example.com",
        "messages.reason": "token=[redacted]",
        "log.error": "of jo@example.com",
        "log.size": None,
    }
    assert told.batch.messages["count"].to_pylist() == [1, 1]


def test_a_rule_that_names_text_sees_every_text_field() -> None:
    told = kept('m a="user-77 of jo@example.com",b="user-x",c=7', redaction=Redaction([USERS]))
    assert texts(told) == {"m.a": "user-… of jo@example.com", "m.b": "user-x", "m.c": None}


def test_the_reason_is_clean_and_what_becomes_alike_is_one_word() -> None:
    told = kept(*[
        f"messages,tenant=acme,reason={reason} count=1i"
        for reason in ("jo@example.com", "full", "al@example.com", "jo@example.com")
    ])  # fmt: skip
    column = told.batch.messages["reason"]
    assert column.to_pylist() == ["[e-mail]", "full", "[e-mail]", "[e-mail]"]
    (chunk,) = column.chunks
    words = chunk.dictionary.to_pylist()
    assert len(set(words)) == len(words)
    assert not [word for word in words if "example" in word], "also of those that no row has"


def test_refused_lines_are_clean_also_those_over_a_limit() -> None:
    line = 'messages,tenant=acme count=oops,error="jo@example.com"'
    told = kept(line, "messages,tenant=acme count=1i")
    assert [one.line for one in told.rejected] == [line.replace("jo@example.com", "[e-mail]")]
    gates = gates_of(
        SimulatedClock(NOW), ReceiveLimits(), QuotaSettings(TenantLimits(lines_per_s=1), burst_s=1)
    )
    lines = ["m,tenant=acme a=1", "m,tenant=acme a=1", 'm,tenant=acme a="jo@example.com"']
    Intake(MemorySink(), gates).take(
        Origin("/write"),
        b"",
        lambda admission: parse(
            "\n".join(lines).encode(),
            precision="s",
            db="",
            received_at_ns=NOW * 10**9,
            admission=admission,
        ),
    )
    assert "jo@example.com" not in str(gates.ledger.refusals())


def test_nothing_is_changed_where_it_is_switched_off() -> None:
    told = kept(
        'messages,reason=jo@example.com count=1i,error="jo@example.com"',
        redaction=Redaction(hides_personal_data=False),
    )
    assert texts(told)["messages.error"] == "jo@example.com"
    assert told.batch.messages["reason"].to_pylist() == ["jo@example.com"]


@given(st.lists(st.sampled_from(["full", "a@b.cd", "x", ""]), min_size=1, max_size=9))
def test_each_row_keeps_its_place(reasons: list[str]) -> None:
    lines = [
        f'messages{f",reason={reason}" if reason else ""} count={at}i,error="{reason}"'
        for at, reason in enumerate(reasons)
    ]
    told = redacted(parsed_of(*lines), Redaction())
    clean = [reason.replace("a@b.cd", "[e-mail]") for reason in reasons]
    rows = told.batch.messages.select(["reason", "count"]).to_pylist()
    assert [row["reason"] for row in sorted(rows, key=lambda row: row["count"])] == clean
    assert sorted(told.batch.points["text"].to_pylist()) == sorted(clean)


@pytest.mark.parametrize("line", ['m a="plain",b=1', "bad", "m a=1"])
def test_what_is_clean_is_passed_on_as_it_is(line: str) -> None:
    parsed = parsed_of(line)
    assert redacted(parsed, Redaction()) is parsed
