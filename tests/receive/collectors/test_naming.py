"""Which queues are taken, and whose they are."""

from __future__ import annotations

import pytest

from streamgauge.model.gatherer import QueueReading
from streamgauge.receive.collectors.naming import Naming


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ((), (), "events.acme dlq.acme amq.gen-1"),
        (("events.*",), (), "events.acme"),
        (("dlq.acme", "events.*"), (), "events.acme dlq.acme"),
        ((), ("amq.*",), "events.acme dlq.acme"),
        (("*acme",), ("dlq.*",), "events.acme"),
        (("events",), (), ""),
    ],
    ids=[
        "all, unless filtered",
        "those that fit",
        "those that fit one of several",
        "all but those",
        "an exclusion wins",
        "a part of a name is no name",
    ],
)
def test_filters(include: tuple[str, ...], exclude: tuple[str, ...], taken: str) -> None:
    names = ("events.acme", "dlq.acme", "amq.gen-1")
    naming = Naming(include, exclude)
    assert [name for name in names if naming.takes(name)] == taken.split()


@pytest.mark.parametrize(
    ("patterns", "queue", "whose"),
    [
        (("events.{tenant}.{integration}",), "events.acme.ga4", ("acme", "ga4", "")),
        (("events.{tenant}.{integration}",), "events.acme.eu.ga4", ("acme", "eu.ga4", "")),
        (("events.{tenant}.{integration}",), "dlq.acme.ga4", ("", "", "")),
        (("{pipeline}/*/{tenant}",), "clicks/eu-1/acme", ("acme", "", "clicks")),
        (("a.{tenant}", "{integration}.dlq"), "s3.dlq", ("", "s3", "")),
        (("q[{tenant}]",), "q[acme]", ("acme", "", "")),
    ],
    ids=[
        "parts by their place",
        "the last one takes the rest",
        "what does not fit is nobody's",
        "a star is any text",
        "the first that fits",
        "other signs are meant as they are",
    ],
)
def test_names_tell_whose_they_are(
    patterns: tuple[str, ...], queue: str, whose: tuple[str, str, str]
) -> None:
    (named,) = Naming(patterns=patterns).named([QueueReading(queue)])
    assert (named.tenant, named.integration, named.pipeline) == whose


def test_what_a_collector_knows_itself_wins() -> None:
    naming = Naming(patterns=("{tenant}.{integration}",), prefix="eu:")
    (named,) = naming.named([QueueReading("a.b", tenant="acme")])
    assert (named.queue, named.tenant, named.integration) == ("eu:a.b", "acme", "b")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "events.{customer}",
            r"\{customer\} in 'events.\{customer\}': \{tenant\}, \{integration\}",
        ),
        ("{tenant}.{tenant}", r"\{tenant\} in .* each once"),
        ("events.*", "names nothing"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Naming(patterns=(text,))
