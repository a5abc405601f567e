"""Expectations as the API answers them, who may change them, and what there is without any."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from starlette.requests import Request

from streamgauge.model.audit import AuditEntry
from streamgauge.model.clock import rfc3339
from streamgauge.model.errors import LimitExceeded, PayloadError, StoreError
from streamgauge.model.expected import (
    Applied,
    ExpectedFlow,
    FlowEdit,
    FlowState,
    Offboarded,
    narrowest,
)
from streamgauge.model.incident import Incident
from streamgauge.model.router import RouterStatus
from streamgauge.web.health import is_hidden
from streamgauge.web.shapes import Json, instant

MAX_BODY_BYTES = 25_000_000
ACTOR = "streamgauge.actor"
"""Where in a request's scope it stands who asks."""


class NothingSaid:
    """In place of `ports.Expected` where nothing can be said."""

    def list_flows(self, tenant: str | None = None) -> list[ExpectedFlow]:  # noqa: ARG002
        """Nothing."""
        return []

    def apply(self, edits: Sequence[FlowEdit], actor: str) -> list[Applied]:  # noqa: ARG002
        """Refused."""
        raise StoreError("expectations cannot be kept here", permanent=True)

    def offboard(self, tenant: str, actor: str) -> Offboarded:  # noqa: ARG002
        """Refused."""
        raise StoreError("expectations cannot be kept here", permanent=True)

    def list_routers(self) -> list[RouterStatus]:
        """None."""
        return []

    def list_audit(self, tenant: str | None = None, limit: int = 100) -> list[AuditEntry]:  # noqa: ARG002
        """Nothing."""
        return []


def by_tenant(said: Iterable[ExpectedFlow]) -> dict[str, list[ExpectedFlow]]:
    """All that was said, by customer."""
    found: dict[str, list[ExpectedFlow]] = {}
    for one in said:
        found.setdefault(one.scope.tenant or "", []).append(one)
    return found


def state_of(
    labels: Mapping[str, str],
    last_seen_at: float | None,
    said: ExpectedFlow | None,
    incidents: Sequence[Incident],
    now: float,
) -> FlowState:
    """What is expected of what has these labels."""
    state = said.state(last_seen_at, now) if said else FlowState.SEEN
    is_judged = state in {FlowState.SEEN, FlowState.RETURNED}
    if is_judged and is_hidden(incidents, labels.get("tenant")):
        return FlowState.UNKNOWN
    return state


def expected_shape(
    labels: Mapping[str, str],
    last_seen_at: float | None,
    said: Mapping[str, list[ExpectedFlow]],
    incidents: Sequence[Incident],
    now: float,
) -> Json:
    """What is expected of a row of `/api/v1/flows`."""
    one = narrowest(labels, said)
    state = state_of(labels, last_seen_at, one, incidents, now)
    return {"state": state.value, **(said_shape(one) if one else {})}


def declared_shape(one: ExpectedFlow, last_seen_at: float | None, now: float) -> Json:
    """What was said of a scope, whether it ever spoke or not."""
    return {
        **one.scope._asdict(),
        "state": one.state(last_seen_at, now).value,
        "last_seen_at": instant(last_seen_at),
        **said_shape(one),
    }


def said_shape(one: ExpectedFlow) -> Json:
    """What was said, and by whom."""
    return {
        "declared_at": instant(one.declared_at),
        "expected_within_s": one.expected_within_s,
        "first_message_by": instant(one.first_due_at),
        "calendar": one.calendar,
        "paused_until": instant(one.paused_until),
        "retired": one.retired_at is not None,
        "retired_at": instant(one.retired_at),
        "changed_at": instant(one.changed_at),
        "changed_by": one.changed_by,
        "is_configured": one.is_configured,
    }


def router_shape(one: RouterStatus) -> Json:
    """One row of `/api/v1/routers`."""
    return {
        "router": one.name,
        "state": one.state.value,
        "first_seen_at": instant(one.first_seen_at),
        "last_seen_at": instant(one.last_seen_at),
        "interval_s": one.interval_s if math.isfinite(one.interval_s) else None,
        "customers": one.customers,
        "only_customers": one.only_customers,
    }


def audit_shape(entry: AuditEntry) -> Json:
    """One change."""
    return {
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
    }


def actor_of(request: Request) -> str:
    """Who asks: the token that was presented, and the address it came from."""
    address = request.client.host if request.client else "an unknown address"
    token = request.scope.get(ACTOR)
    return f"{token} from {address}" if token else address


def refuse_foreign(request: Request) -> None:
    """Refuse what another site's page makes a browser send.

    A request whose body is no JSON is sent by a browser without asking us first. Browsers say of
    every such request where it comes from.

    Raises:
        PayloadError: it comes from elsewhere.

    Source: OWASP, Cross-Site Request Forgery Prevention, "Verifying Origin With Standard Headers".
    """
    fetch_site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    is_ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if fetch_site not in {"same-origin", "none"} or not is_ours:
        raise PayloadError("refused: this came from a page of another site")


async def read_json(request: Request) -> object:
    """The body, as JSON.

    Raises:
        PayloadError: it is none; says where it breaks.
        LimitExceeded: it is too large.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise LimitExceeded("bytes of the body", len(body), MAX_BODY_BYTES)
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the body is no JSON: {str(error)[:200]}") from None
