"""What is shipped to run on more machines, as far as it can be checked without containers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import MemorySink, workshop_of
from streamgauge.web.split import WRITES

ROOT = Path(__file__).parents[2]
COMPOSE, CHART = ROOT / "deploy/compose", ROOT / "deploy/helm/streamgauge"
VALUES: dict[str, Any] = {
    "existingSecret": "streamgauge",
    "config": '[detect]\ntick = "5s"\n',
    "web": {"replicas": 2},
    "ingress": {"enabled": True, "host": "gauge.example.org", "tlsSecret": "tls"},
}
REFUSED = {
    "no secret": {},
    "a value nobody knows": {"existingSecret": "s", "recievers": 2},
    "no receiver": {"existingSecret": "s", "receiver": {"replicas": 0}},
    "a budget without unit": {"existingSecret": "s", "receiver": {"journal": {"budget": "8"}}},
}


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Docker Compose, as a plugin or as the older program; `config` needs no Docker engine."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        known = subprocess.run([*command, "version"], capture_output=True, check=False)
        if known.returncode == 0:
            return subprocess.run(
                [*command, "-f", str(COMPOSE / "compose.yaml"), *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
    pytest.skip("no Docker Compose here (Debian: apt-get install docker-compose)")


def test_compose_understands_the_file() -> None:
    done = compose("config", "--quiet")
    assert done.returncode == 0, done.stderr


def test_compose_names_every_part() -> None:
    services = compose("config", "--services").stdout.split()
    assert sorted(services) == sorted(
        [
            "keeper",
            "clickhouse-1",
            "clickhouse-2",
            "clickhouse-3",
            "postgres",
            "receiver-1",
            "receiver-2",
            "web",
            "balancer",
        ]
    )


def test_every_mounted_file_is_there_or_made_by_the_script(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets"))
    for _ in range(2):
        subprocess.run([folder / "make-secrets.sh"], check=True, capture_output=True)
    text = (COMPOSE / "compose.yaml").read_text()
    named = set(re.findall(r"(\./[\w/.-]+\.(?:xml|conf)|\./secrets/\w+)", text))
    assert len(named) > 8
    for name in named:
        assert (folder / name).is_file(), name
    password = (folder / "secrets/clickhouse_password").read_text()
    assert password in (folder / "secrets/store_url").read_text()
    for path in [*folder.rglob("*.xml")]:
        assert ET.parse(path).getroot().tag == "clickhouse"


def ways_in() -> set[str]:
    """The paths that receivers answer, and others do not."""
    workshop = workshop_of(MemorySink(), SimulatedClock(1.0))
    return {route.path for route in routes(workshop)}


def test_the_balancer_sends_every_way_in_to_receivers() -> None:
    text = (COMPOSE / "nginx/balancer.conf").read_text()
    sent = dict(re.findall(r"location = (\S+) \{ proxy_pass http://(\w+); \}", text))
    assert sent.keys() == ways_in()
    assert {sent["/api/v1/write"], sent["/v1/metrics"]} == {"counters"}
    assert re.search(r"upstream counters \{\s*hash \$remote_addr consistent;", text)


def test_a_process_that_does_not_receive_says_so_on_every_way_in() -> None:
    assert {*WRITES, "/ping"} == ways_in()


def test_secrets_are_never_committed() -> None:
    assert "secrets/" in (COMPOSE / ".gitignore").read_text().split()


def test_the_schema_and_the_values_are_about_the_same_keys() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    keys = re.findall(r"^(\w+):", (CHART / "values.yaml").read_text(), re.MULTILINE)
    assert set(keys) <= set(schema["properties"])
    assert set(schema["properties"]) - set(keys) == {"global", "nameOverride", "fullnameOverride"}


def helm() -> Any:
    """Helm's own code as a library (PyPI: helm-python-sdk)."""
    return pytest.importorskip("helm_python.chart", reason="helm-python-sdk is not installed")


def test_helm_finds_nothing_to_say() -> None:
    found = helm().lint(CHART, values=VALUES)
    serious = [one for one in found["messages"] if one["severity"] > 1]
    assert (serious, found["errors"]) == ([], [])


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED.keys())
def test_helm_refuses_values_that_make_no_sense(values: dict[str, Any]) -> None:
    with helm().Chart.load(CHART) as chart, pytest.raises(Exception, match="schema"):
        chart.render(values=values, name="demo")


def test_the_chart_makes_what_it_says() -> None:
    with helm().Chart.load(CHART) as chart:
        made = "\n---\n".join(chart.render(values=VALUES, name="demo").values())
    kinds = sorted(re.findall(r"^kind: (\w+)", made, re.MULTILINE))
    assert kinds == sorted(
        [
            "ConfigMap",
            "Deployment",
            "Ingress",
            "PodDisruptionBudget",
            "PodDisruptionBudget",
            "Service",
            "Service",
            "Service",
            "StatefulSet",
        ]
    )
    assert made.count("path: /health") == 5
    assert {*re.findall(r"path: (\S+)\n *pathType: Exact", made)} == ways_in()
    assert "sessionAffinity: ClientIP" in made
    assert made.count("path: /ready") == 1
