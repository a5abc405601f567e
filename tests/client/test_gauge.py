"""The gauge as a router uses it: threads, coroutines, forks, misuse, and its end."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.scripted import HANG, scripted
from tests.client.taking import Taking

import streamgauge
from streamgauge.client import Gauge, Trace
from streamgauge.client.intervals import MAX_HOPS, MAX_VALUES
from streamgauge.client.losses import Loss
from streamgauge.client.transport import Answer, Verdict
from streamgauge.testing.waiting import eventually

NEVER_S = 86_400.0
"""An interval that does not end during a test."""
WITHIN_S = 60.0


@pytest.fixture
def server() -> Taking:
    return Taking()


@pytest.fixture
def gauge(server: Taking) -> Iterator[Gauge]:
    made = Gauge(router="r", interval_s=NEVER_S, transport=server)
    yield made
    made.close(WITHIN_S)


def told(server: Taking) -> dict[str, int]:
    """The gauge's own report, summed: only what is not 0."""
    sums: dict[str, int] = {}
    for line in server.text.splitlines():
        if line.startswith("streamgauge_client,router=r "):
            for field in line.split(" ")[1].split(","):
                name, value = field.split("=")
                sums[name] = sums.get(name, 0) + int(value.rstrip("i"))
    assert sums.keys() == {loss.value for loss in Loss}
    return {name: count for name, count in sums.items() if count}


def test_what_was_counted_is_sent_with_a_flush(gauge: Gauge, server: Taking) -> None:
    gauge.message(tenant="acme", source="web", integration="ga4", bytes=7)
    gauge.flow(tenant="acme", source="web", integration="ga4").ok(count=2, bytes=3)
    gauge.flow(tenant="acme").ended("error", "timeout", 0.5)
    gauge.queue("ga4", backlog=17, oldest_age_s=0.5)
    gauge.point("build", {"is_new": True, "of": "main"}, {"host": "a b"})
    assert gauge.flush(WITHIN_S)
    lines = [line.rpartition(" ")[0] for line in server.text.splitlines()]
    flow = "tenant=acme,source=web,integration=ga4,stage=delivered,outcome=ok"
    assert lines[0] == f"messages,{flow},router=r count=3i,bytes=10i"
    assert lines[1].startswith("messages,tenant=acme,stage=delivered,outcome=error,reason=timeout,")
    assert lines[2] == "queue,queue=ga4,router=r backlog=17i,oldest_age_s=0.5"
    assert lines[3] == r'build,host=a\ b,router=r is_new=true,of="main"'
    assert server.messages == 4


@pytest.mark.parametrize("interval_s", [0, -1, float("nan")])
def test_an_interval_that_is_none_is_refused_at_the_start(interval_s: float) -> None:
    with pytest.raises(ValueError, match="interval_s"):
        Gauge(interval_s=interval_s, transport=Taking())


def test_a_router_without_messages_gives_a_sign_of_life(gauge: Gauge, server: Taking) -> None:
    assert gauge.flush(WITHIN_S)
    assert told(server) == {}


def test_closing_twice_is_closing_and_then_nothing_is_sent(server: Taking) -> None:
    with Gauge(interval_s=NEVER_S, transport=server) as gauge:
        assert gauge.close(WITHIN_S)
    gauge.message(tenant="late")
    assert not gauge.flush(WITHIN_S)
    assert len(server.attempts) == 1
    assert server.is_closed


def test_threads_and_handles_count_together(gauge: Gauge, server: Taking) -> None:
    each = 5_000
    flow = gauge.flow(tenant="acme")

    def work() -> None:
        for _ in range(each):
            gauge.message(tenant="acme", latency_s=0.1)
            flow.ok(0.1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        gauge.flush(WITHIN_S)
    for thread in threads:
        thread.join()
    gauge.flush(WITHIN_S)
    assert server.messages == 8 * each
    assert told(server) == {}


def test_coroutines_count_while_a_server_hangs_and_never_wait_for_it(tmp_path: Path) -> None:
    with scripted() as server:
        server.then = HANG

        async def run() -> None:
            async with Gauge(server.url, interval_s=NEVER_S, spool=tmp_path) as gauge:
                waiting = asyncio.create_task(gauge.aflush(WITHIN_S))
                while not server.requests:
                    await asyncio.sleep(0.01)
                for _ in range(20_000):
                    gauge.message(tenant="acme")
                assert not waiting.done()
                server.then = 204
                server.released.set()
                assert await waiting

        asyncio.run(run())
        assert len(server.requests) >= 2
    assert list(tmp_path.iterdir()) == []


class Strange:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __bool__(self) -> bool:
        raise RuntimeError("neither nor")


@pytest.mark.parametrize(
    ("arguments", "keywords", "counted"),
    [
        pytest.param((), {"tennant": "acme"}, 1, id="a misspelt name"),
        pytest.param(("acme",), {}, 1, id="an argument without its name"),
        pytest.param((), {"tenant": b"acme"}, 0, id="bytes as tenant"),
        pytest.param((), {"count": "3"}, 0, id="a count as text"),
        pytest.param((), {"latency_s": "0.1"}, 1, id="seconds as text"),
        pytest.param((), {"error": Strange()}, 1, id="an error without text"),
        pytest.param((), {"id": Strange()}, 1, id="a strange id"),
        pytest.param((), {"trace": "00-ab"}, 1, id="a trace that is none"),
        pytest.param((), {"id": "m-1", "count": -1}, 0, id="less than one with an id"),
        pytest.param((), {"id": "m-1", "latency_s": "0.1"}, 1, id="an id, and seconds as text"),
        pytest.param((), {"id": "m-1", "tenant": b"acme"}, 0, id="an id, and bytes as tenant"),
    ],
)
def test_misuse_is_counted_and_said_once_and_never_raised(
    gauge: Gauge,
    server: Taking,
    caplog: pytest.LogCaptureFixture,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    counted: int,
) -> None:
    with caplog.at_level(logging.WARNING, "streamgauge.client"):
        for _ in range(3):
            gauge.message(*arguments, **keywords)
        assert gauge.flush(WITHIN_S)
        assert gauge.flush(WITHIN_S)
    assert server.messages == 3 * counted
    assert told(server) == {"bad_calls": 3}
    assert len(caplog.records) == 1


def test_bad_queues_and_points_spoil_nothing_else(gauge: Gauge, server: Taking) -> None:
    gauge.queue("a", backlog=float("nan"), in_flight="3")  # type: ignore[arg-type]
    gauge.queue("a", backlog=3)
    gauge.queue(Strange(), backlog=3)  # type: ignore[arg-type]
    gauge.point("p", 7)  # type: ignore[arg-type]
    gauge.point("p", {"a": 1}, {"b": Strange()})  # type: ignore[dict-item]
    assert gauge.flush(WITHIN_S)
    assert told(server) == {"bad_calls": 3}
    assert server.text.count("queue,queue=a,router=r") == 1 + server.text.count('in_flight="3"')


def test_messages_with_an_id_are_told_one_by_one_and_count_once(
    gauge: Gauge, server: Taking
) -> None:
    gauge.message(tenant="acme", id="m-1", stage="received", bytes=12)
    gauge.message(tenant="acme", trace=Trace("m-1", 5.0), latency_s=0.25, integration="ga4")
    gauge.message(tenant="acme", trace=Trace("m-2", 5.0), error=TimeoutError("after 5 s"))
    gauge.message(tenant="acme", outcome="error", error="HTTP 500\n", count=3)
    gauge.message(tenant="acme", trace=Trace(None, 5.0))
    assert gauge.flush(WITHIN_S)
    hops = [json.loads(line) for line in server.body("/v1/messages").splitlines()]
    assert all(hop.pop("time") > 1.7e18 for hop in hops)
    assert all(hop.pop("router") == "r" and hop.pop("tenant") == "acme" for hop in hops)
    assert hops[2].pop("latency_s") > 1e9, "since the first stamp"
    delivered = {"stage": "delivered", "outcome": "ok"}
    assert hops == [
        {"id": "m-1", "stage": "received", "outcome": "ok", "bytes": 12},
        {"id": "m-1", **delivered, "latency_s": 0.25, "integration": "ga4"},
        {"id": "m-2", **delivered, "error": "TimeoutError: after 5 s"},
        {"stage": "delivered", "outcome": "error", "error": "HTTP 500", "count": 3},
    ]
    counted = [line for line in server.text.splitlines() if line.startswith("messages")]
    assert len(counted) == 1, "what was told by itself is not counted again"
    assert "latency_s=" in counted[0]
    assert server.messages == 7


def test_a_share_of_journeys_is_told_the_same_in_every_router_and_all_is_counted() -> None:
    chosen = []
    for _ in range(2):
        server = Taking()
        gauge = Gauge(interval_s=NEVER_S, transport=server, journeys=0.2)
        for number in range(1_000):
            gauge.message(tenant="acme", id=f"m-{number}")
        gauge.message(tenant="acme", id="bad", outcome="error")
        gauge.close(WITHIN_S)
        hops = [json.loads(line) for line in server.body("/v1/messages").splitlines()]
        chosen.append({hop["id"] for hop in hops})
        assert server.messages == 1_001
    assert chosen[0] == chosen[1]
    assert 100 < len(chosen[0]) < 300
    assert "bad" in chosen[0], "what went wrong is always told"


def test_hops_and_values_are_bounded(gauge: Gauge, server: Taking) -> None:
    for number in range(MAX_HOPS + 5):
        gauge.message(tenant="acme", id=number + 1)
    for _ in range(MAX_VALUES + 3):
        gauge.queue("ga4", backlog=1)
    assert gauge.flush(WITHIN_S)
    assert told(server) == {"dropped_hops": 5, "dropped_values": 3}
    assert server.messages == MAX_HOPS + 5, "each was counted"


def test_long_errors_are_bounded_as_well(gauge: Gauge, server: Taking) -> None:
    for _ in range(2_510):
        gauge.message(tenant="acme", error="x" * 3_000)
    assert gauge.flush(WITHIN_S)
    assert told(server) == {"dropped_hops": 10}
    hops = [json.loads(line) for line in server.body("/v1/messages").splitlines()]
    assert {len(hop["error"]) for hop in hops} == {2_000}
    assert server.messages == 2_510


def test_a_refused_batch_is_counted_and_not_sent_again(server: Taking) -> None:
    server.answer = Answer(Verdict.REFUSED, "400 bad lines")
    gauge = Gauge(router="r", interval_s=NEVER_S, transport=server)
    gauge.message(tenant="acme", count=5)
    assert gauge.flush(WITHIN_S)
    server.answer = Answer(Verdict.TAKEN)
    gauge.close(WITHIN_S)
    assert [one.messages for one in server.attempts] == [5, 0]
    assert told(server) == {"refused_messages": 5}


def test_a_server_that_is_away_gets_the_same_batches_in_order_when_it_is_back(
    server: Taking, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = Answer(Verdict.LATER, "503 busy", retry_after_s=300.0)
    gauge = Gauge(router="r", interval_s=NEVER_S, transport=server)
    for count in (1, 2, 3):
        gauge.message(tenant="acme", count=count)
        assert not gauge.flush(0.05)
    eventually(lambda: server.attempts, within_s=WITHIN_S, every_s=0.01)
    assert {one.key for one in server.attempts} == {server.attempts[0].key}
    server.answer = Answer(Verdict.TAKEN)
    gauge.close(WITHIN_S)
    assert [one.messages for one in server.taken] == [1, 2, 3, 0]
    assert [record.message for record in caplog.records] == [
        "streamgauge does not take what goes to /write, it waits: 503 busy",
        "streamgauge takes what goes to /write again",
    ]


def test_a_path_that_is_not_served_does_not_stop_the_counts(tmp_path: Path) -> None:
    for spool in (None, tmp_path):
        with scripted() as script:
            script.paths["/v1/messages"] = 404
            gauge = Gauge(script.url, router="r", interval_s=NEVER_S, spool=spool)
            for count in (1, 2):
                gauge.message(tenant="acme", id="m-1")
                gauge.message(tenant="acme", count=count)
                assert not gauge.flush(0.3)

            def writes() -> int:
                return sum(path.startswith("/write") for path, *_ in script.requests)

            eventually(lambda: writes() == 2, within_s=WITHIN_S, every_s=0.01)
            script.paths.clear()
            assert gauge.close(WITHIN_S)
            paths = [path.partition("?")[0] for path, *_ in script.requests]
            assert paths[-3:] == ["/v1/messages", "/v1/messages", "/write"]
            assert paths.count("/write") == 3
    assert list(tmp_path.iterdir()) == []


def test_it_tries_again_by_itself_and_intervals_end_by_themselves(server: Taking) -> None:
    server.answer = Answer(Verdict.LATER, "away")
    gauge = Gauge(router="r", interval_s=0.05, transport=server)
    gauge.message(tenant="acme", count=3)
    eventually(lambda: server.attempts, within_s=WITHIN_S, every_s=0.01)
    server.answer = Answer(Verdict.TAKEN)
    eventually(lambda: server.messages == 3, within_s=WITHIN_S, every_s=0.01)
    gauge.close(WITHIN_S)
    stamps = [int(line.rpartition(" ")[2]) for line in server.text.splitlines()]
    own = os.getpid() % 1_000_000
    assert {stamp % 50_000_000 for stamp in stamps[:-1]} == {49_000_000, 49_000_000 - own}


def test_a_forked_child_counts_for_itself_and_nothing_of_its_parent(tmp_path: Path) -> None:
    with scripted() as script:
        gauge = Gauge(script.url, router="r", interval_s=NEVER_S, spool=tmp_path)
        assert gauge.flush(WITHIN_S), "the parent has a connection"
        gauge.message(tenant="parent", count=5)
        context = multiprocessing.get_context("fork")
        child = context.Process(target=count_as_child, args=(gauge,))
        child.start()
        child.join(WITHIN_S)
        assert child.exitcode == 0
        idle = context.Process(target=gauge.close)
        idle.start()
        idle.join(WITHIN_S)
        assert idle.exitcode == 0, "a child that counted nothing has nothing to send"
        assert gauge.close(WITHIN_S)
        assert len(set(script.keys)) == len(script.keys) == 3
        assert script.connection_count == 2
    bodies = [gzip.decompress(body).decode() for *_, body in script.requests]
    assert ["child" in body for body in bodies] == [False, True, False]
    assert ["parent" in body for body in bodies] == [False, False, True]


@pytest.mark.parametrize("what", ["queue", "id"])
def test_a_forked_child_begins_whatever_it_tells_first(what: str) -> None:
    with scripted() as script:
        gauge = Gauge(script.url, router="r", interval_s=NEVER_S)
        context = multiprocessing.get_context("fork")
        child = context.Process(target=tell_as_child, args=(gauge, what))
        child.start()
        child.join(WITHIN_S)
        assert child.exitcode == 0
        told_paths = [path.partition("?")[0] for path, *_ in script.requests]
        assert told_paths == (["/write"] if what == "queue" else ["/write", "/v1/messages"])
        gauge.close(WITHIN_S)


def tell_as_child(gauge: Gauge, what: str) -> None:
    if what == "queue":
        gauge.queue("q", backlog=1)
    else:
        gauge.message(id="m-1")
    os._exit(0 if gauge.close(WITHIN_S) else 1)


def count_as_child(gauge: Gauge) -> None:
    gauge.message(tenant="child", count=3)
    os._exit(0 if gauge.close(WITHIN_S) else 1)


def test_processes_that_share_a_spool_send_each_batch_once(tmp_path: Path) -> None:
    with scripted() as script:
        script.steps.extend([*[204] * 15, 503] * 3)
        context = multiprocessing.get_context("fork")
        arguments = [(script.url, tmp_path, number) for number in range(3)]
        workers = [context.Process(target=count_and_share, args=one) for one in arguments]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(WITHIN_S)
            assert worker.exitcode == 0
        script.steps.clear()
        assert Gauge(script.url, spool=tmp_path, interval_s=NEVER_S).close(WITHIN_S)
        bodies = {headers["idempotency-key"]: body for _, headers, body in script.requests}
    assert list(tmp_path.iterdir()) == []
    assert sorted(script.taken_keys) == sorted(bodies), "each was taken, and once"
    text = "".join(gzip.decompress(body).decode() for body in bodies.values())
    counts = re.findall(r"^messages.* count=(\d+)i", text, re.MULTILINE)
    assert sum(map(int, counts)) == 3 * 1_000


def count_and_share(url: str, folder: Path, number: int) -> None:
    gauge = Gauge(url, router=f"r-{number}", spool=folder, interval_s=0.01)
    for _ in range(20):
        gauge.message(tenant="acme", count=50)
        gauge.flush(0.01)
    os._exit(0 if gauge.close(WITHIN_S) else 1)


AT_EXIT = """
import sys
from streamgauge.client import Gauge
gauge = Gauge(sys.argv[1], router="r", interval_s=86400)
gauge.message(tenant="acme", count=42)
"""


@pytest.mark.parametrize("then", [204, HANG])
def test_a_programs_end_sends_the_rest_and_does_not_wait_for_ever(then: Any) -> None:
    with scripted() as script:
        script.then = then
        done = subprocess.run(
            [sys.executable, "-c", AT_EXIT, script.url],
            timeout=WITHIN_S,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert done.stderr == ("" if then == 204 else "closed before all was sent: it is lost\n")
        assert len(script.requests) == 1


ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import streamgauge.client
known = sys.stdlib_module_names
print([name for name in sys.modules
       if name.partition(".")[0] not in known
       and not name.startswith("streamgauge.client") and name not in ("streamgauge", "__main__")])
"""


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = str(Path(streamgauge.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", ALONE, source],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
