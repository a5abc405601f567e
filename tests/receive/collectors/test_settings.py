"""`[[queue]]` in the configuration: what is accepted, and that no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app.configuration import load
from streamgauge.app.gather.collecting import collector_settings
from streamgauge.model.errors import ConfigError
from streamgauge.receive.collectors.faults import CollectorFault


def loaded(tmp_path: Path, text: str) -> list[object]:
    file = tmp_path / "streamgauge.toml"
    file.write_text(f"[[queue]]\n{text}\n")
    return [collector_settings(one) for one in load(file, {}).queue]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "rabbit"', "queue.1"),
        ('kind = "redis"\nurl = "http://me:s3cret@x:1"', "queue.1.url = "),
        ('kind = "redis"\nurl = "http://me:s3cret@x:1"', "redis://host:port or rediss://host:port"),
        ('kind = "redis"\nurl = "redis://:s3cret@x:1/orders"', "the number of a database"),
        ('kind = "redis"\nurl = "redis://:s3cret@x:99999"', "redis://host:port or"),
        ('kind = "redis"\nevery = 10', "queue.1.every = 10"),
        ('kind = "redis"\npasswort = "s3cret"', "did you mean `password`?"),
        ('kind = "redis"\npassword = "s3cret"\npassword_file = "/x"', "one of password and"),
        ('kind = "nats"\npattern = "{customer}.x"', "{tenant}, {integration}, {pipeline} are"),
        ('kind = "postgresql"', "`queue.1.query` is missing"),
        ('kind = "rabbitmq"\nurl = "amqp://u:s3cret@x"', "by AMQP queues cannot be discovered"),
    ],
)
def test_what_cannot_be_used_stops_the_start(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert message in str(error.value)
    assert "s3cret" not in str(error.value)


def test_no_form_of_the_settings_shows_a_password(tmp_path: Path) -> None:
    text = 'kind = "redis"\nurl = "redis://me:s3cret@x:1/3?password=s3cret"\n'
    (inline,) = loaded(tmp_path, text)
    (given,) = loaded(tmp_path, 'kind = "nats"\nusername = "me"\npassword = "s3cret"')
    assert "s3cret" not in repr(inline) + repr(given)
    assert inline.address.shown == "redis://x:1/3"
    assert (inline.address.user, inline.address.secret()) == ("me", "s3cret")
    assert (given.address.user, given.address.secret()) == ("me", "s3cret")


def test_passwords_of_files_and_variables_are_read_when_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    (by_file,) = loaded(tmp_path, f'kind = "redis"\npassword_file = "{secret}"')
    (by_variable,) = loaded(tmp_path, 'kind = "redis"\npassword_variable = "BROKER_PASSWORD"')
    with pytest.raises(CollectorFault, match=f"the secret in {secret} cannot be read: No such"):
        by_file.address.secret()
    with pytest.raises(CollectorFault, match="BROKER_PASSWORD is not set"):
        by_variable.address.secret()
    secret.write_text("one\n")
    monkeypatch.setenv("BROKER_PASSWORD", "two")
    assert (by_file.address.secret(), by_variable.address.secret()) == ("one", "two")
    secret.write_text("three\n")
    assert by_file.address.secret() == "three"
    assert by_file.address.scrub("user three is refused") == "user … is refused"


def test_what_is_set_reaches_the_collector(tmp_path: Path) -> None:
    (one,) = loaded(
        tmp_path,
        'kind = "postgresql"\nname = "jobs"\nevery = "30s"\ntimeout = "5s"\ninclude = "a*"\n'
        'exclude = ["ab"]\npattern = "a.{tenant}"\nprefix = "eu:"\nquery = "SELECT 1"',
    )
    assert (one.name, one.kind, one.every_s, one.timeout_s) == ("jobs", "postgresql", 30.0, 5.0)
    assert one.options == {"query": "SELECT 1"}
    assert (one.naming.include, one.naming.exclude, one.naming.prefix) == (("a*",), ("ab",), "eu:")
    assert one.naming.patterns == ("a.{tenant}",)
