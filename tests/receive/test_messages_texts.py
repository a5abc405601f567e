"""Texts of errors: what is taken out of them, and which are alike."""

from __future__ import annotations

import subprocess
import sys
import uuid

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamgauge.receive.messages.fingerprints import fingerprint, pattern_of
from streamgauge.receive.messages.redaction import Redaction, RedactRule, applied


def pattern(text: str) -> str:
    return str(pl.DataFrame({"t": [text]}).select(pattern_of(pl.col("t")))["t"][0])


PATTERNS = [
    ("numbers", "took 5001 ms, limit 5,000.5", "took <*> ms, limit <*>"),
    ("a number and its unit", "took 5ms of 12.5s, 30% and 4KiB", "took <*> of <*>, <*>% and <*>"),
    ("a sign", "offset -5 is not +3", "offset <*> is not <*>"),
    ("a status stays", "status 503 after 17 ms", "status 503 after <*> ms"),
    ("a status of HTTP", "HTTP/1.1 404 Not Found for 17", "HTTP/1.1 404 Not Found for <*>"),
    ("a status in front", "404 Not Found: id 404", "404 Not Found: id <*>"),
    ("a status in brackets", "refused (503) after 17 s", "refused (503) after <*> s"),
    ("a status behind words", "it failed with 403", "it failed with 403"),
    ("a code", "code=429, id=429", "code=429, id=<*>"),
    ("numbers of errors", "[Errno 111] ORA-00001 in 17", "[Errno 111] ORA-00001 in <*>"),
    (
        "JSON: its keys and kinds stay",
        '400: {"error": {"code":"quota_exceeded","user":"bob","n":12, "status": 429}}',
        '400: {"error": {"code":"quota_exceeded","user":<*>,"n":<*>, "status": 429}}',
    ),
    (
        "JSON: a sentence is text",
        '{"message":"no event \'buy\' of user 17", "user":"bob","type": "oauth error 12"}',
        '{"message":"no event <*> of user <*>", "user":<*>,"type": <*>}',
    ),
    ("a uuid", f"message {uuid.UUID(int=2**127)} lost", "message <*> lost"),
    ("hexadecimal", "at 0x7ffee4 in 9f86d081884c7d65", "at <*> in <*>"),
    ("an id of letters and digits", "event evt_1Mq8Xw2 of req-77-a1b2", "event <*> of req<*>"),
    ("a time stamp", "since 2026-11-24T12:00:00.123Z", "since <*>"),
    ("a time of day", "at 12:30:59,123 today", "at <*> today"),
    ("addresses", "dial 10.0.0.7:443 via [2001:db8::1]: refused", "dial <*> via [<*>]: refused"),
    ("addresses that begin with colons", "from ::1, ::ffff:1.2.3.4", "from <*>, <*>"),
    ("colons in a name", "std::bad in ns::b", "std::bad in ns::b"),
    (
        "what varies in a URL",
        "GET https://api.ga4.com/v2/users/8812/a?x=1&y=b failed",
        "GET https://api.ga4.com/v2/users/<*>/a<*> failed",
    ),
    ("double quotes", 'field "user" is missing', "field <*> is missing"),
    ("single quotes", "no key 'a b' in 'c'", "no key <*> in <*>"),
    ("an apostrophe is no quote", "can't reach it, won't retry", "can't reach it, won't retry"),
    ("an e-mail address", "no user a.b@example.com", "no user <*>"),
    ("blanks", "  a \n\t b  ", "a b"),
    ("names with a digit", "ga4 and s3 by ipv6", "ga4 and s3 by ipv6"),
    ("nothing varies", "connection refused", "connection refused"),
    ("letters of others", "файл 12 не найден", "файл <*> не найден"),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in PATTERNS], ids=[row[0] for row in PATTERNS]
)
def test_the_pattern_is_the_text_without_what_varies(text: str, expected: str) -> None:
    assert pattern(text) == expected
    assert pattern(expected) == expected


_ids = st.one_of(
    st.uuids().map(str),
    st.integers(0, 2**63).map(str),
    st.floats(0, 1e6).map(lambda value: f"{value:.3f}"),
    st.binary(min_size=4, max_size=16).map(bytes.hex).filter(lambda text: not text.isdigit()),
    st.ip_addresses().map(str).filter(lambda text: text != "::"),
    st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")),
    st.text("abc xyz", max_size=10).map(lambda text: f'"{text}"'),
)
_sentences = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8), min_size=1, max_size=5
).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(_sentences, _ids, _ids, _sentences)
def test_texts_that_differ_in_ids_are_alike(before: str, one: str, other: str, after: str) -> None:
    assert pattern(f"{before} {one} {after}") == pattern(f"{before} {other} {after}")


@settings(max_examples=60, deadline=None)
@given(_sentences, _sentences)
def test_texts_of_different_words_are_not(one: str, other: str) -> None:
    assume(one != other)
    assume(
        not any(set(word) <= set("abcdef") and len(word) == 8 for word in f"{one} {other}".split())
    )
    assert pattern(one) != pattern(other)


KNOWN_FINGERPRINTS = [
    (("ga4", "timeout", "no answer in <*> ms"), 13972814383138601641),
    (("", "", "x"), 12971084881484622890),
]


@pytest.mark.parametrize(("words", "expected"), KNOWN_FINGERPRINTS, ids=str)
def test_fingerprints_never_change(words: tuple[str, str, str], expected: int) -> None:
    assert fingerprint(*words) == expected
    code = f"from streamgauge.receive.messages.fingerprints import *; print(fingerprint{words})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == expected


def test_words_that_meet_elsewhere_are_not_mixed_up() -> None:
    prints = {fingerprint("a", "b", "c"), fingerprint("ab", "", "c"), fingerprint("a", "bc", "")}
    assert len(prints) == 3


SECRETS = [
    ("an e-mail address", "no user jo.doe+x@example.co.uk here", "jo.doe"),
    ("an e-mail address in a URL", "GET /u?m=jo%40example.com", "jo%40"),
    ("a bearer token", "Authorization: Bearer abc.def-ghi_123", "abc.def"),
    ("a token of InfluxDB", "sent Token 9xYz-secretsecret", "9xYz"),
    ("a password in a URL", "dial amqp://guest:hunter22@mq:5672", "hunter22"),
    ("key=value", "api_key=12ab34cd&x=1", "12ab34cd"),
    ("a JSON of secrets", '{"password": "hunter22", "a": 1}', "hunter22"),
    ("escaped JSON", r"{\"client_secret\":\"hunter22\"}", "hunter22"),
    ("a header", "x-api-key: hunter22hunter", "hunter22"),
    ("a JSON web token", "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def-1", "eyJhbGci"),
    ("a key of Stripe", "key sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39"),
    ("a key of AWS", "AKIAIOSFODNN7EXAMPLE is disabled", "IOSFODNN7"),
    ("a token of GitHub", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
    ("a card number", "card 4111 1111 1111 1111 declined", "1111 1111"),
    ("a card number without gaps", "card 378282246310005 declined", "378282"),
    ("a private key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc", "MIIE"),
]


@pytest.mark.parametrize(
    ("text", "secret"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS]
)
@pytest.mark.parametrize("around", ["{}", "failed: {}; will retry", "é {} é"])
def test_personal_data_and_secrets_are_taken_out(text: str, secret: str, around: str) -> None:
    redaction = Redaction()
    given_text = around.format(text)
    for redacted in (
        redaction.of(pl.Series([given_text]), "error")[0],
        redaction.words([given_text], "reason")[0],
        redaction.text(given_text),
    ):
        assert secret not in redacted
        assert "[" in redacted
        assert redacted.startswith(around.partition("{}")[0][:2])
    assert Redaction(hides_personal_data=False).text(given_text) == given_text


@pytest.mark.parametrize(
    "text",
    [
        "connection refused",
        "status 503 after 5000 ms",
        "message 1700000000123456789 took 4111 ms",
        "the token was rejected by ga4",
        "9f86d081884c7d659a2feaa0c55ad015",
        "a basic check failed",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redaction().text(text) == text


def test_rules_of_the_user_come_first_and_look_where_they_are_told() -> None:
    redaction = Redaction([RedactRule(r"order (\d)\d*", "order $1…", ("id",))])
    texts = pl.Series(["order 123 of a@b.de"])
    assert redaction.has_field("id")
    assert redaction.of(texts, "id")[0] == "order 1… of a@b.de"
    assert redaction.of(texts, "error")[0] == "order 123 of [e-mail]"
    assert redaction.text("order 123") == "order 1…"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("(", "unclosed group"),
        ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "backreferences are not supported"),
        (r"\pL{1000}{1000}", "size limit"),
        ("", "an empty pattern would match everywhere"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(rule: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Redaction([RedactRule(rule)])


def test_no_text_makes_a_pattern_slow() -> None:
    text = "a" * 200_000 + "!"
    assert Redaction([RedactRule("(a+)+$")], hides_personal_data=False).text(text) == text


WORDS = st.sampled_from(
    [
        "a@b.de",
        "%40b.de",
        "http://u:p@h",
        "Bearer abcdefg",
        "to\u212aen=x",
        "\u017fecret: y",
        "authori\u017fation=abc",
        "API_KEY=1",
        "Cookie: s",
        "eyJabcdefgh.x",
        "sk-0123456789abcdefgh",
        "AKIA0123456789ABCDEF",
        "xoxb-0123456789",
        "SG.0123456789abcdef.0123456789abcdef",
        "-----BEGIN PRIVATE KEY-----",
        "4111 1111 1111 1111",
        "timeout after 5 ms",
        " ",
        "=",
        "@",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=4).map("".join), min_size=1, max_size=3))
def test_rules_that_are_left_out_would_change_nothing(texts: list[str]) -> None:
    redaction = Redaction()
    chosen = applied(pl.col("text"), redaction.rules_for(texts, "error"))
    told = pl.DataFrame({"text": texts}).select_seq(chosen)["text"]
    assert told.to_list() == redaction.of(pl.Series(texts), "error").to_list()


def test_rules_of_the_configuration_leave_none_out() -> None:
    redaction = Redaction([RedactRule("x", "password=hunter2")])
    rules = redaction.rules_for(["x"], "error")
    told = pl.DataFrame({"text": ["x"]}).select_seq(applied(pl.col("text"), rules))["text"][0]
    assert told == redaction.of(pl.Series(["x"]), "error")[0] == "password=[redacted]"
