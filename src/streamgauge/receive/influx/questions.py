"""What the query string of a write asks for, in each version.

Source: influxdata/influxdb 1.8 services/httpd/handler.go (`serveWriteV1`); 2.7
http/write_handler.go (`decodeWriteRequest`), organization.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamgauge.model.errors import PayloadError

_DEFAULT_POLICY = "autogen"
"""InfluxDB's name of the policy that is meant when none is given."""


@dataclass(frozen=True, slots=True)
class WriteQuestion:
    """Where to write, and in which unit the time stamps are."""

    db: str
    """The name space: the database or bucket, with `/policy` behind it where one is named. The
    bucket `db/rp` of 2.x is thus 1.x's `db=db&rp=rp`, as in InfluxDB's own mapping."""
    precision: str


def ask_v1(query: Mapping[str, str]) -> WriteQuestion:
    """`/write?db=…[&rp=…][&precision=…]`.

    Raises:
        PayloadError: no `db`, or a precision that 1.x does not know.
    """
    precision = query.get("precision", "")
    if precision not in {"", "n", "ns", "u", "us", "µ", "ms", "s", "m", "h"}:
        raise PayloadError(f'invalid precision "{precision[:40]}" (use n, u, ms, s, m or h)')
    if not query.get("db"):
        raise PayloadError("database is required")
    return WriteQuestion(_name_space(query["db"], query.get("rp", "")), precision)


def ask_v2(query: Mapping[str, str]) -> WriteQuestion:
    """`/api/v2/write?org=…&bucket=…[&precision=…]`.

    Raises:
        PayloadError: no bucket, no organisation, or a precision that 2.x does not know.
    """
    precision = query.get("precision", "")
    if precision not in {"", "ns", "us", "ms", "s"}:
        raise PayloadError("invalid precision; valid precision units are ns, us, ms, and s")
    if not query.get("bucket"):
        raise PayloadError("bucket is required: say which by the parameter bucket")
    if not (query.get("org") or query.get("orgID")):
        raise PayloadError("Please provide either orgID or org")
    name, _, policy = query["bucket"].partition("/")
    return WriteQuestion(_name_space(name, policy), precision or "ns")


def _name_space(name: str, policy: str) -> str:
    return name if policy in {"", _DEFAULT_POLICY} else f"{name}/{policy}"
