"""What speaks to InfluxDB speaks to us: every count exact, nothing on their side is changed.

Clients run as they are installed; Telegraf, which is not, by the bodies of its documentation.
"""

from __future__ import annotations

import gzip
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from influxdb import InfluxDBClient as Client1
from influxdb.exceptions import InfluxDBClientError
from influxdb_client import InfluxDBClient as Client2
from influxdb_client import Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from streamgauge.testing.api import overview
from streamgauge.testing.process import StreamgaugeProcess, free_port
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs" / "sending.md").read_text()
HOUR_S = 3600
LIMITED = "influxdb-client-limited"


@dataclass(frozen=True)
class World:
    """One streamgauge with all of its doors open."""

    process: StreamgaugeProcess
    udp_port: int
    datagram: Path
    stream: Path

    def count(self, tenant: str, expected: int) -> None:
        """Wait until exactly so many messages of a customer are there."""
        now = time.time()

        def seen() -> int:
            found = overview(self.process.client, now - HOUR_S, now + HOUR_S, tenant=tenant)
            return int(found["messages"] or 0)

        eventually(lambda: seen() >= expected, within_s=20, what=f"messages of {tenant}")
        assert seen() == expected


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port, folder = free_port(), tmp_path_factory.mktemp("streamgauge")
    datagram, stream = folder / "d.sock", folder / "s.sock"
    config = (
        f'[udp]\nlisten = "127.0.0.1:{port}"\n'
        f'[unix]\ndatagram = "{datagram}"\nstream = "{stream}"\n'
        f'[limits]\nburst = "1s"\n[[limit]]\ntenant = "{LIMITED}"\nlines_per_second = 1000\n'
    ) + map_of_the_page()
    with StreamgaugeProcess(folder, config) as process:
        yield World(process.start(), port, datagram, stream)
        assert not lost(process)
        assert process.stop() == 0
        assert "Traceback" not in process.stderr
        assert "no longer gathers" not in process.stderr
    assert not datagram.exists()
    assert not stream.exists()


def map_of_the_page() -> str:
    (found,) = re.findall(r"```toml\n(\[\[map\]\]\n.*?)```", PAGE, re.DOTALL)
    return str(found)


def lost(process: StreamgaugeProcess) -> int:
    found = process.client.get("/api/v1/collectors").json()["collectors"]
    assert {one["kind"] for one in found} == {"udp", "unixgram", "unix"}
    return sum(one["lost_total"] for one in found)


# influxdb (1.x)


def client1(world: World, **options: object) -> Client1:
    return Client1("127.0.0.1", world.process.port, database="router", timeout=30, **options)


def point(tenant: str, count: int, at: int | None = None) -> dict[str, object]:
    tags = {"tenant": tenant, "source": "web", "integration": "ga4"}
    stamp = {} if at is None else {"time": at}
    return {"measurement": "messages", "tags": tags, "fields": {"count": count}, **stamp}


def test_python_influxdb(world: World) -> None:
    client, tenant = client1(world), "influxdb"
    assert client.ping()
    now = int(time.time())
    for precision, unit in (("s", 1), ("ms", 1_000), ("u", 10**6), ("n", 10**9)):
        client.write_points([point(tenant, 1, now * unit)], time_precision=precision)
    client.write_points([point(tenant, 2, now + n) for n in range(25)], "s", batch_size=10)
    line = f"messages,tenant={tenant},integration=ga4 count=7i"
    client.write_points([line], protocol="line")
    zipped = client1(world, gzip=True)
    for _ in range(2):  # the second one is known as a retry
        zipped.write_points([point(tenant, 100, now)], time_precision="s")
    with pytest.raises(InfluxDBClientError, match=r"partial write.*dropped=1") as refused:
        client.write_points([line, f"{line}oops"], protocol="line")
    assert refused.value.code == 400
    world.count(tenant, 4 + 50 + 7 + 100 + 7)


def test_python_influxdb_by_udp(world: World) -> None:
    client = client1(world, use_udp=True, udp_port=world.udp_port)
    now = time.time_ns()
    client.write_points([point("influxdb-udp", 1, now + n) for n in range(200)])
    client.write_points([point("influxdb-udp", 1, now + n) for n in range(200)])
    client.write_points(["messages,tenant=influxdb-udp count=5i"], protocol="line")
    client.udp_socket.close()
    world.count("influxdb-udp", 405)


# influxdb-client (2.x)


def client2(world: World, **options: object) -> Client2:
    return Client2(world.process.url, token="any", org="any", timeout=30_000, **options)


def point2(tenant: str, count: int, at_s: int) -> Point:
    made = Point("messages").tag("tenant", tenant).tag("integration", "ga4")
    return made.field("count", count).time(at_s, WritePrecision.S)


def test_python_influxdb_client(world: World) -> None:
    tenant, now = "influxdb-client", int(time.time())
    with client2(world, enable_gzip=True) as client:
        assert client.ping()
        with client.write_api(write_options=SYNCHRONOUS) as writer:
            writer.write("router", record=[point2(tenant, 3, now + n) for n in range(100)])
            with pytest.raises(ApiException) as refused:
                writer.write("router", record=[f"messages,tenant={tenant} count=x"])
        assert refused.value.status == 400
        assert "unable to parse" in str(refused.value.body)
        options = WriteOptions(batch_size=500, flush_interval=10_000)
        with client.write_api(write_options=options) as writer:
            for n in range(1_200):
                writer.write("router", record=point2(tenant, 1, now - n))
    world.count(tenant, 300 + 1_200)


def test_python_influxdb_client_comes_again_when_it_is_told_to(world: World) -> None:
    options = WriteOptions(batch_size=800, flush_interval=10_000, jitter_interval=0)
    now = int(time.time())
    with client2(world) as client, client.write_api(write_options=options) as writer:
        for n in range(1_600):
            writer.write("router", record=point2(LIMITED, 1, now - n))
    world.count(LIMITED, 1_600)
    answer = world.process.client.get("/api/v1/refusals", params={"tenant": LIMITED}).json()
    (refusal,) = answer["refusals"]
    assert refusal["deferred"]["last_day"] >= 800
    assert refusal["lost"]["last_day"] == 0


# influx, Debian's command


def influx(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = shutil.which("influx")
    if command is None:
        pytest.skip("no influx here (Debian: apt-get install influxdb-client)")
    where = [command, "-host", "127.0.0.1", "-port", str(world.process.port)]
    return subprocess.run(
        [*where, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_inserts(world: World) -> None:
    line = "messages,tenant=influx,integration=ga4 count=4i"
    done = influx(world, "-database", "router", "-execute", f"insert {line}")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    now = int(time.time() * 1000)
    options = ("-database", "router", "-precision", "ms")
    assert influx(world, *options, "-execute", f"insert {line} {now}").returncode == 0
    bad = influx(world, "-database", "router", "-execute", "insert messages,tenant=influx count=x")
    assert "unable to parse" in bad.stdout + bad.stderr
    world.count("influx", 8)


def test_the_command_imports_an_export(world: World, tmp_path: Path) -> None:
    now = time.time_ns()
    lines = [f"messages,tenant=influx-import count=1i {now - n}" for n in range(7_000)]
    head = "# DDL\nCREATE DATABASE router WITH NAME autogen\n# DML\n"
    context = "# CONTEXT-DATABASE:router\n# CONTEXT-RETENTION-POLICY:autogen\n"
    file = tmp_path / "export.txt.gz"
    file.write_bytes(gzip.compress((head + context + "\n".join(lines) + "\n").encode()))
    done = influx(world, "-import", "-path", str(file), "-compressed", "-precision", "ns")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Processed 7000 inserts" in said
    assert "Failed 0 inserts" in said
    again = influx(world, "-import", "-path", str(file), "-compressed", "-precision", "ns")
    assert again.returncode == 0, "and nothing of it counts twice"
    world.count("influx-import", 7_000)


# Telegraf
# Source: influxdata/telegraf plugins/inputs/{internal,rabbitmq}/README.md and
# plugins/outputs/socket_writer/README.md: measurements, tags and fields, shortened.

TELEGRAF = """\
internal_agent,go_version=1.22.2,host=tyrion,version=1.30.3 gather_errors=0i,gather_timeouts=0i,\
metrics_dropped=0i,metrics_gathered=19i,metrics_written=18i {at}
internal_write,host=tyrion,output=influxdb,version=1.30.3 buffer_limit=10000i,buffer_size=0i,\
errors=0i,metrics_added=18i,metrics_dropped=0i,metrics_filtered=0i,metrics_written=18i,\
write_time_ns=636609i {at}
internal_gather,host=tyrion,input=nats_consumer,version=1.30.3 errors=0i,gather_time_ns=442114i,\
metrics_gathered=19i {at}
rabbitmq_queue,auto_delete=false,durable=true,host=tyrion,node=rabbit@amqp.example.org,\
queue=telegraf,url=http://amqp.example.org:15672,vhost=influxdb consumers=1i,idle_since="",\
memory=43032i,messages=3i,messages_ack=329i,messages_ack_rate=0.2,messages_publish=332i,\
messages_ready=3i,messages_unack=0i {at}
rabbitmq_overview,host=tyrion,url=http://amqp.example.org:15672 channels=2i,connections=2i,\
consumers=1i,messages=3i,messages_acked=329i,queues=1i {at}
rabbitmq_node,host=tyrion,node=rabbit@amqp.example.org,url=http://amqp.example.org:15672 \
fd_used=32i,mem_used=58771080i,uptime=7464827i {at}
nats_consumer,host=tyrion,subject=telegraf value=42i {at}
messages,host=tyrion,integration=ga4,tenant={tenant} count=6i,latency_ms=12.5 {at}
"""
"""Several inputs; the last line is what a router published for `nats_consumer` to hand on."""

AGENT = "Telegraf/1.30.3 Go/1.22.2"
PLAIN = {"User-Agent": AGENT, "Content-Type": "text/plain; charset=utf-8"}
OUTPUTS = {
    "influxdb": ("/write?db=telegraf", {**PLAIN, "Content-Encoding": "gzip"}),
    "influxdb_v2": (
        "/api/v2/write?bucket=telegraf&org=any",
        {**PLAIN, "Authorization": "Token any", "Content-Encoding": "gzip"},
    ),
    "http": ("/write?db=telegraf", PLAIN),
}


def telegraf(tenant: str) -> bytes:
    return TELEGRAF.format(tenant=tenant, at=time.time_ns()).encode()


@pytest.mark.parametrize("output", OUTPUTS)
def test_telegraf_over_http(world: World, output: str) -> None:
    tenant, (path, headers) = f"telegraf-{output}", OUTPUTS[output]
    body = telegraf(tenant)
    sent = gzip.compress(body) if "Content-Encoding" in headers else body
    for _ in range(2):  # Telegraf sends a batch again where it got no answer
        answer = world.process.client.post(path, content=sent, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
    world.count(tenant, 6)
    now = time.time()
    found = overview(world.process.client, now - HOUR_S, now + HOUR_S)
    assert found["queue"]["backlog"] == 3, "of rabbitmq_queue, by the map of the page"


def test_telegraf_by_socket_writer(world: World) -> None:
    """Each metric is a write of its own, with its line break."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unixgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = kept(world.process)
    with udp, unixgram, unix:
        udp.connect(("127.0.0.1", world.udp_port))
        unixgram.connect(str(world.datagram))
        unix.connect(str(world.stream))
        ways = {"udp": udp, "unixgram": unixgram, "unix": unix}
        for name, way in ways.items():
            for _ in range(50):
                for line in telegraf(f"telegraf-{name}").splitlines(keepends=True):
                    way.send(line)
    for name in ways:
        world.count(f"telegraf-{name}", 300)
    after = kept(world.process)
    assert {name: after[name] - before[name] for name in ways} == dict.fromkeys(ways, 8 * 50)


def kept(process: StreamgaugeProcess) -> dict[str, int]:
    """Lines kept, by way in."""
    text = process.client.get("/metrics").text
    found = re.findall(r'streamgauge_receive_lines_total\{path="(\w+)"\} (\S+)', text)
    return {"udp": 0, "unixgram": 0, "unix": 0} | {path: round(float(n)) for path, n in found}


# the texts


def test_the_examples_of_the_page(world: World, tmp_path: Path) -> None:
    section = PAGE[PAGE.index("## Clients") :]
    places = {
        "8686": str(world.process.port),
        "8089": str(world.udp_port),
        "/run/streamgauge/datagram.sock": str(world.datagram),
        "/run/streamgauge/stream.sock": str(world.stream),
    }
    for old, new in places.items():
        section = section.replace(old, new)
    blocks = re.findall(r"```(python|sh|bash)\n(.*?)```", section, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "python", "sh", "bash", "python"]
    for kind, block in blocks:
        command = [sys.executable, "-c"] if kind == "python" else ["bash", "-c"]
        if kind == "sh" and shutil.which("influx") is None:
            continue
        done = subprocess.run(
            [*command, block], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
        )
        assert done.returncode == 0, (block, done.stderr)
    world.count("by-influxdb", 42)
    world.count("by-influxdb-client", 42)
    world.count("by-udp", 42)
    world.count("by-unix", 84)
    if shutil.which("influx"):
        world.count("by-influx", 42)


def curl(*arguments: str) -> str:
    command = shutil.which("curl")
    if command is None:
        pytest.skip("no curl on this machine")
    arguments = ("--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments)
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_curl_as_in_the_readme(world: World) -> None:
    line = "messages,tenant=curl,source=web,integration=ga4 count=3i,latency_ms=120"
    assert curl(f"{world.process.url}/write?db=router", "--data-binary", line) == "\n204"
    world.count("curl", 3)


def test_a_token_is_taken_and_ignored_where_none_is_configured(world: World) -> None:
    url, line = world.process.url, f"cpu,host=a v=1 {time.time():.0f}"
    written = curl(
        f"{url}/api/v2/write?org=any&bucket=any&precision=s",
        *("--header", "Authorization: Token any", "--data-raw", line),
    )
    assert written == "\n204"
    assert curl("-u", "any:one", f"{url}/write?db=x", "-d", "cpu v=1") == "\n204"


def test_what_clients_ask_first(world: World) -> None:
    ping = world.process.client.get("/ping")
    assert ping.status_code == 204
    assert ping.headers["x-influxdb-version"]
    health: httpx.Response = world.process.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "pass")
