"""`[[redact]]`: what is taken out is as configured, and a bad pattern stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app import wiring
from streamgauge.app.configuration import load
from streamgauge.model.errors import ConfigError


def told(tmp_path: Path, toml: str, text: str) -> str:
    file = tmp_path / "streamgauge.toml"
    file.write_text(toml)
    return wiring.redaction(load(file, {})).text(text)


RULE = """
[[redact]]
pattern = 'account (\\d\\d)\\d+'
replace = 'account $1…'
"""
OFF = "[receive]\nredact_personal_data = false\n"


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", "account 8812 of [e-mail]"),
        (RULE, "account 88… of [e-mail]"),
        (OFF, "account 8812 of jo@example.com"),
        (OFF + RULE, "account 88… of jo@example.com"),
    ],
    ids=["nothing configured", "a rule", "switched off", "a rule alone"],
)
def test_rules_and_personal_data(tmp_path: Path, toml: str, expected: str) -> None:
    assert told(tmp_path, toml, "account 8812 of jo@example.com") == expected


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("pattern = '('", ["redact.1.pattern", '"("', "unclosed group"]),
        ("pattern = '(?=a)'", ["redact.1.pattern", "look-around"]),
        ("pattern = ''", ["redact.1.pattern", "empty"]),
        (
            "pattern = 'a'\nfields = ['tenant']",
            ["redact.1.fields", "'error', 'reason', 'id' or 'text'"],
        ),
        ("patern = 'a'", ["unknown key `redact.1.patern`", "did you mean `pattern`"]),
    ],
    ids=["no pattern", "look-around", "empty", "another field", "misspelt"],
)
def test_a_rule_that_cannot_be_used_is_named(tmp_path: Path, rule: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        told(tmp_path, f"[[redact]]\n{rule}\n", "")
    for word in words:
        assert word in str(caught.value)
