"""Targets that show their figures, and targets that misbehave: who is up, what is kept and told."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from streamgauge.model.batch import ENDED
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded
from streamgauge.model.gatherer import Fault, GathererState
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.prometheus.scraper import Scraper, next_scrape
from streamgauge.receive.prometheus.target import TargetSettings, Tls
from streamgauge.testing.process import free_port
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_790_000_000.0
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Bench:
    """A scraper of one target, and what became of it."""

    answer: Answer
    settings: dict[str, Any] = field(default_factory=dict)
    sink: MemorySink = field(default_factory=MemorySink)
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(NOW))
    requests: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Scraper]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            yield self.scraper(f"http://127.0.0.1:{port}/metrics")

    def scraper(self, url: str) -> Scraper:
        address = Address(url, **self.settings.pop("credentials", {}))
        settings = TargetSettings(address, **{"timeout_s": 5.0, **self.settings})
        self.registry = GathererRegistry(self.clock)
        pulse = self.registry.add(settings.instance, "scrape", address.shown, settings.every_s)
        return Scraper(settings, Metering(workshop_of(self.sink, self.clock).intake), pulse)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.answer(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def health(self) -> Any:
        return self.registry.all()[0]

    def values(self) -> list[dict[str, float]]:
        """Name → value of the points of each body that was kept."""
        return [
            {row["measurement"]: row["value"] for row in body.batch.points.to_pylist()}
            for body in self.sink.bodies
        ]


def shows(text: str | bytes, status: str = "200 OK", *headers: str) -> Answer:
    body = text.encode() if isinstance(text, str) else text

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *headers,
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def scraped(bench: Bench, times: int = 1) -> Bench:
    async def go() -> None:
        async with bench.serving() as scraper:
            for _ in range(times):
                await scraper.scrape()
                bench.clock.advance(15)
            await scraper._target.close()

    asyncio.run(go())
    return bench


def test_what_a_target_shows_is_kept_with_its_instance_and_that_it_is_up() -> None:
    bench = scraped(Bench(shows("temperature 21.5\n"), {"labels": {"room": "attic"}}))
    rows = bench.sink.bodies[0].batch.points.to_pylist()
    told = {(row["measurement"], row["value"], row["time_ns"] / 1e9) for row in rows}
    assert told == {("temperature", 21.5, NOW), ("up", 1.0, NOW)}
    (tags,) = {row["tags"] for row in rows}
    assert tags.startswith("instance=127.0.0.1:")
    assert tags.endswith(",room=attic")
    assert bench.health.state is GathererState.OK
    assert "application/openmetrics-text" in bench.requests[0]


def test_a_zipped_text_is_understood() -> None:
    bench = scraped(Bench(shows(gzip.compress(b"a 1\n"), "200 OK", "Content-Encoding: gzip")))
    assert bench.values() == [{"a": 1.0, "up": 1.0}]


@pytest.mark.parametrize(
    ("text", "is_collected"),
    [
        ("queue_backlog 3\n", True),
        ("temperature 21.5\n", True),
        ("messages_total 3\n", False),
        ("queue_backlog 3\nmessages_total 3\n", False),
    ],
)
def test_a_target_reports_if_it_shows_what_it_did_with_messages(
    text: str, is_collected: bool
) -> None:
    bench = scraped(Bench(shows(text)), times=2)
    assert [body.is_collected for body in bench.sink.bodies] == [is_collected] * 2


def test_a_counter_counts_once_when_receivers_take_over_from_each_other() -> None:
    shown = [""]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shows(shown[0])(reader, writer)

    async def go() -> list[int]:
        one, other = Bench(answer), Bench(answer)
        counted = []
        async with one.serving() as first:
            second, last = other.scraper(first._settings.address.shown), first
            for who, stands in (
                (first, 100), (first, 110), (second, 115), (second, 215), (first, 216), (first, 217)
            ):  # fmt: skip
                shown[0] = f"messages_total {stands}\n"
                if who is not last:
                    who.take_over()
                last = who
                await who.scrape()
                one.clock.advance(15)
                other.clock.advance(15)
                counted.append(one.sink.message_count + other.sink.message_count)
            await first._target.close()
            await second._target.close()
        return counted

    # What came between the last scrape of one and the first of the other is not known.
    assert asyncio.run(go()) == [0, 10, 10, 110, 110, 111]


def test_a_takeover_waits_for_the_first_scrape_that_goes_well() -> None:
    answers = [shows("messages_total 5\n"), shows("", "500 Oh"), shows("messages_total 9\n")]
    answers.append(shows("messages_total 12\n"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(reader, writer)

    async def go() -> int:
        bench = Bench(answer)
        async with bench.serving() as scraper:
            await scraper.scrape()
            scraper.take_over()
            for _ in range(3):
                bench.clock.advance(15)
                await scraper.scrape()
            await scraper._target.close()
        return bench.sink.message_count

    assert asyncio.run(go()) == 3


def test_a_queue_that_is_not_shown_any_more_has_ended_and_a_counter_goes_on() -> None:
    texts = [
        'messages_total 5\nqueue_backlog{queue="a"} 3\nqueue_backlog{queue="b"} 4\n',
        'queue_backlog{queue="a"} 3\n',
        "",
        'messages_total 9\nqueue_backlog{queue="a"} 2\n',
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = texts.pop(0)
        await shows(text, "200 OK" if text else "500 Oh")(reader, writer)

    bench = scraped(Bench(answer), times=4)
    told = [
        [(row["queue"], row["backlog"]) for row in body.batch.queue.to_pylist()]
        for body in bench.sink.bodies
    ]
    assert told == [
        [("a", 3.0), ("b", 4.0)],
        [("a", 3.0), ("b", ENDED)],
        [("a", ENDED)],
        [("a", 2.0)],
    ]
    assert bench.sink.message_count == 4, "what a counter stood at is remembered"


def test_a_target_that_is_down_reports_nothing() -> None:
    (body,) = scraped(Bench(shows("", "500 Oh"))).sink.bodies
    assert body.is_collected


def test_an_instance_that_is_configured_stays() -> None:
    bench = scraped(Bench(shows("a 1\n"), {"labels": {"instance": "router-1"}}))
    assert {*bench.sink.bodies[0].batch.points["tags"].to_pylist()} == {"instance=router-1"}


async def _hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b'a{b="c"} 1\n' * 10_000)
        await writer.drain()


async def _dies(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na 1\n")
    await writer.drain()
    writer.transport.abort()


SMALL = {"max_body_bytes": 100_000}
BOMB = gzip.compress(b"a" * 50_000_000)
BAD_TARGETS: list[tuple[str, Answer, dict[str, Any], Fault, str]] = [
    ("it hangs", _hang, {"timeout_s": 0.2}, Fault.HANGS, "does not answer within 0.2 s"),
    ("it sends without end", _endless, SMALL, Fault.ANSWER, "more than 100,000 bytes"),
    (
        "it sends a bomb",
        shows(BOMB, "200 OK", "Content-Encoding: gzip"),
        SMALL,
        Fault.ANSWER,
        "more than 100,000 bytes",
    ),
    ("it dies in the middle", _dies, {}, Fault.ANSWER, ""),
    ("it shows garbage", shows("<html>"), {}, Fault.ANSWER, "neither Prometheus's text format"),
    ("it shows bytes", shows(b"a\xff 1\n"), {}, Fault.ANSWER, "not UTF-8"),
    ("it knows us not", shows("", "401 No"), {}, Fault.CREDENTIALS, "credentials"),
    ("it lets us not", shows("", "403 No"), {}, Fault.PERMISSION, "/metrics"),
    ("there is nothing", shows("", "404 Not Found"), {}, Fault.GONE, "answered 404"),
    ("it is broken", shows("", "500 Oh"), {}, Fault.ANSWER, "answered 500"),
]


@pytest.mark.parametrize(
    ("_", "answer", "settings", "fault", "text"), BAD_TARGETS, ids=[case[0] for case in BAD_TARGETS]
)
def test_a_target_that_misbehaves_is_down_and_told(
    _: str, answer: Answer, settings: dict[str, Any], fault: Fault, text: str
) -> None:
    bench = scraped(Bench(answer, settings))
    assert bench.values() == [{"up": 0.0}]
    health = bench.health
    assert (health.state, health.fault) == (GathererState.FAILING, fault)
    assert text in health.last_error
    assert "127.0.0.1:" in health.last_error


def test_a_target_that_is_not_there_is_down() -> None:
    bench = Bench(_hang)
    asyncio.run(bench.scraper(f"http://127.0.0.1:{free_port()}/metrics").scrape())
    assert bench.values() == [{"up": 0.0}]
    assert bench.health.fault is Fault.REFUSED


def test_a_target_that_comes_back_is_up_again() -> None:
    bench = Bench(shows("", "500 Oh"))

    async def go() -> None:
        async with bench.serving() as scraper:
            await scraper.scrape()
            bench.answer = shows("a 1\n")
            await scraper.scrape()

    asyncio.run(go())
    assert bench.health.state is GathererState.OK
    assert bench.health.failed_in_a_row == 0


def test_two_scrapes_that_show_the_same_are_two() -> None:
    bench = scraped(Bench(shows("a 1\n")), times=2)
    assert bench.values() == [{"a": 1.0, "up": 1.0}] * 2


def test_what_could_not_be_kept_is_our_fault_not_the_targets() -> None:
    bench = Bench(shows("a 1\n"))
    bench.sink.failure = Overloaded("the journal is full", 5)
    scraped(bench)
    assert bench.health.fault is Fault.OURS
    assert "the journal is full" in bench.health.last_error


def test_a_sample_from_the_future_is_refused_and_the_others_are_kept() -> None:
    bench = scraped(Bench(shows(f"a 1 {int(NOW + 7200) * 1000}\nb 2\n")))
    assert bench.values() == [{"b": 2.0, "up": 1.0}]
    assert bench.sink.bodies[0].rejected_count == 1


def test_credentials_are_sent_read_anew_each_time_and_never_told(tmp_path: Path) -> None:
    file = tmp_path / "token"
    bench = Bench(shows("", "401 No"), {"bearer": Address(password_file=str(file))})

    async def go() -> None:
        async with bench.serving() as scraper:
            for token in ("s3cret-1", "s3cret-2"):
                file.write_text(token + "\n")
                await scraper.scrape()

    asyncio.run(go())
    assert [f"Bearer s3cret-{n}" in bench.requests[n - 1] for n in (1, 2)] == [True, True]
    assert "s3cret" not in bench.health.last_error


def test_a_token_file_that_is_missing_is_named() -> None:
    bench = scraped(Bench(shows("a 1\n"), {"bearer": Address(password_file="/nowhere/token")}))
    assert bench.health.fault is Fault.CREDENTIALS
    assert "/nowhere/token" in bench.health.last_error


def test_user_and_password_are_sent_by_basic_authentication() -> None:
    bench = scraped(Bench(shows("a 1\n"), {"credentials": {"username": "ann", "password": "p:w"}}))
    assert "authorization: basic yw5uonA6dw==".lower() in bench.requests[0].lower()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1 in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "target")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "target.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed.public_bytes(Encoding.PEM)
    )
    return file


@pytest.mark.parametrize(
    ("trusts", "verifies", "is_up"),
    [(True, True, 1.0), (False, True, 0.0), (False, False, 1.0)],
    ids=["its signer is trusted", "its signer is not known", "whoever it is"],
)
def test_a_target_by_https(certificate: Path, trusts: bool, verifies: bool, is_up: float) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls = Tls(ca_file=str(certificate) if trusts else "", is_verified=verifies)
    bench = Bench(shows("a 1\n"), {"tls": tls})

    async def go() -> None:
        server = await asyncio.start_server(bench._serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with server:
            scraper = bench.scraper(f"https://127.0.0.1:{port}/metrics")
            await scraper.scrape()
            await scraper._target.close()

    asyncio.run(go())
    assert bench.values()[0]["up"] == is_up
    assert is_up or "TLS" in bench.health.last_error


def test_a_certificate_that_is_missing_is_named() -> None:
    bench = Bench(_hang, {"tls": Tls(ca_file="/nowhere/ca.pem")})
    asyncio.run(bench.scraper("https://127.0.0.1:1/metrics").scrape())
    assert bench.health.fault is Fault.CREDENTIALS
    assert "ca_file" in bench.health.last_error


def test_it_ends_at_once_also_while_a_target_hangs() -> None:
    bench = Bench(_hang, {"every_s": 0.05, "timeout_s": 60.0})

    async def go() -> None:
        stop = asyncio.Event()
        async with bench.serving() as scraper:
            running = asyncio.create_task(scraper.run(stop))
            while not bench.requests:
                await asyncio.sleep(0.01)
            stop.set()
            await asyncio.wait_for(running, 5)

    asyncio.run(go())


@pytest.mark.parametrize("now", [NOW, NOW + 3.7, NOW + 14.999])
def test_each_target_has_a_phase_of_its_own_within_the_interval(now: float) -> None:
    due = [next_scrape(now, 15, f"http://10.0.0.{n}:9090/metrics") for n in range(50)]
    assert all(now < at <= now + 15 for at in due)
    assert len({round(at % 15) for at in due}) > 10
    assert next_scrape(due[0], 15, "http://10.0.0.0:9090/metrics") == pytest.approx(due[0] + 15)
