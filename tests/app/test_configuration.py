"""What can be set, and what is said when it cannot be used."""

from pathlib import Path

import pytest

from streamgauge.app.configuration import load
from streamgauge.app.wiring import check_store_url
from streamgauge.model.errors import ConfigError

BAD = {
    "a key that does not exist": (
        '[server]\nlistn = "127.0.0.1:1"',
        ["unknown key `server.listn`", "did you mean `listen`", "accepted: data, listen"],
    ),
    "a table that does not exist": (
        '[sever]\nlisten = "127.0.0.1:1"',
        ["unknown key `sever`", "did you mean `server`"],
    ),
    "a duration without a unit": (
        '[[rule]]\nmetric = "backlog"\nabove = 1\nfor = 30',
        ["rule.1.for = 30", "ms, s, m, h, d, w"],
    ),
    "a size with an unknown unit": (
        '[store]\njournal = "2 parsec"',
        ['store.journal = "2 parsec"', "kB, MB, GB"],
    ),
    "a retention that is no duration": (
        '[store]\nday_retention = "always"',
        ['store.day_retention = "always"', "ms, s, m, h, d, w", '"forever"'],
    ),
    "minutes that are kept for a shorter time than lines": (
        '[store]\nraw_retention = "forever"',
        ["store", "minute_retention must not be shorter than raw_retention"],
    ),
    "minutes that are kept too short": (
        '[store]\nraw_retention = "1d"\nminute_retention = "47h"',
        ["store", 'minute_retention must be at least "2d"'],
    ),
    "journeys that are whole for too short a while": (
        '[journeys]\nwhole_for = "59m"',
        ['journeys.whole_for = "59m"', '"1h" to "1d"'],
    ),
    "journeys without room": (
        '[journeys]\ndisk_budget = "999kB"',
        ["journeys.disk_budget", 'at least "1MB"'],
    ),
    "a rule with both thresholds": (
        '[[rule]]\nmetric = "backlog"\nabove = 1\nbelow = 2',
        ["rule.1", "exactly one of `above` and `below`"],
    ),
    "an address without a port": (
        '[server]\nlisten = "localhost"',
        ['server.listen = "localhost"', "127.0.0.1:8686"],
    ),
    "a notifier of no known kind": (
        '[[notify]]\nkind = "pigeon"',
        ["notify.1", "opsgenie", "webhook", "log"],
    ),
    "a notifier without its key": (
        '[[notify]]\nkind = "opsgenie"',
        ["`notify.1.api_key` is missing"],
    ),
    "a disk budget of nothing": (
        '[store]\ndisk_budget = "0GB"',
        ["store.disk_budget = ", 'at least "1MB"'],
    ),
    "a memory budget that nothing runs in": (
        '[store]\nmemory_budget = "1MB"',
        ["store.memory_budget = ", 'at least "256MB"'],
    ),
    "two limits of one tenant": (
        '[[limit]]\ntenant = "acme"\n[[limit]]\ntenant = "acme"',
        ['two [[limit]] of tenant "acme"'],
    ),
    "a table that may be repeated, written as one": (
        '[limit]\ntenant = "acme"',
        ["write [[limit]]"],
    ),
    "a share above one": ("[govern]\ngive_up_above = 90", ["govern.give_up_above = 90: at most 1"]),
    "a switch that is neither": ('[store]\nfsync = "maybe"', ["true or false"]),
    "an endpoint without a scheme": (
        '[backup]\nendpoint = "minio"',
        ['backup.endpoint = "minio"', "http(s)://host:port"],
    ),
    "a file that is not TOML": ("[server", ["not TOML"]),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_bad_settings_are_named(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "streamgauge.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "streamgauge.toml"
    path.write_text('[[notify]]\nkind = "opsgenie"\napi_key = ["hunter2"]')
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert "hunter2" not in str(caught.value)
    path.write_text('[[notify]]\nkind = "opsgenie"\napi_key = "hunter2"')
    assert "hunter2" not in repr(load(path, {}))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml", {})


def test_variables_win_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "streamgauge.toml"
    path.write_text('[server]\nlisten = "127.0.0.1:1"\ndata = "file"')
    monkeypatch.setenv("STREAMGAUGE_SERVER__LISTEN", "127.0.0.1:2")
    assert load(path, {}).server.listen == "127.0.0.1:2"
    assert load(path, {}).server.data == "file"
    given = load(path, {"server": {"listen": "127.0.0.1:3", "data": None}})
    assert given.server.listen == "127.0.0.1:3"
    assert given.server.data == "file"


def test_secrets_can_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokens").write_text("one\ntwo\n")
    monkeypatch.setenv("STREAMGAUGE_AUTH__TOKENS_FILE", str(tmp_path / "tokens"))
    assert [token.get_secret_value() for token in load(None, {}).auth.tokens] == ["one", "two"]


def test_a_secret_file_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGAUGE_AUTH__TOKENS_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"STREAMGAUGE_AUTH__TOKENS_FILE names .*none"):
        load(None, {})


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGAUGE_SERVER__LISTEN", "here")
    with pytest.raises(ConfigError, match=r"STREAMGAUGE_SERVER__LISTEN: server\.listen = \"here\""):
        load(None, {})


@pytest.mark.parametrize(
    ("listen", "is_loopback"),
    [
        ("127.0.0.1:8686", True),
        ("localhost:8686", True),
        ("[::1]:8686", True),
        ("0.0.0.0:8686", False),
        ("10.1.2.3:8686", False),
        ("gauge.example:8686", False),
    ],
)
def test_loopback_is_known(listen: str, is_loopback: bool) -> None:
    assert load(None, {"server": {"listen": listen}}).server.is_loopback is is_loopback


def test_a_store_address_that_cannot_be_used_is_told_without_its_password() -> None:
    url = "clickhouse://me:secret@db/points?clutser=c"
    with pytest.raises(ConfigError, match="unknown option `clutser`") as caught:
        check_store_url(load(None, {"store": {"url": url}}))
    assert "secret" not in str(caught.value)
