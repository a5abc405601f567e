"""What is expected: of everybody, of one customer with the means to change it, and of routers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streamgauge.model.errors import PayloadError
from streamgauge.model.expected import ExpectedFlow, FlowState
from streamgauge.model.flow import Scope
from streamgauge.model.router import RouterState
from streamgauge.model.views import Filters
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.declared import Declared, ask_declared
from streamgauge.web.expected import actor_of, refuse_foreign
from streamgauge.web.flow_items import ItemError, read_item
from streamgauge.web.format import duration, utc_short
from streamgauge.web.names import segment
from streamgauge.web.pages.front import EVERYONE, Page
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.templating import render
from streamgauge.web.words import Sign

SHOWN = 500
MAX_FORM_BYTES = 100_000
STATE: dict[FlowState, Sign] = {
    FlowState.SEEN: Sign("Expected", "good", "check"),
    FlowState.DECLARED: Sign("Awaited", "info", "clock"),
    FlowState.OVERDUE: Sign("Never spoke", "warn", "alert"),
    FlowState.PAUSED: words.EXCUSED[FlowState.PAUSED],
    FlowState.RETIRED: words.EXCUSED[FlowState.RETIRED],
    FlowState.RETURNED: Sign("Sends again", "warn", "info"),
    FlowState.UNKNOWN: Sign("Unknown", "muted", "question"),
}
ROUTER: dict[RouterState, Sign] = {
    RouterState.BLIND: Sign("Blind", "bad", "alert"),
    RouterState.LATE: Sign("Late", "warn", "clock"),
    RouterState.ALIVE: Sign("Alive", "good", "check"),
    RouterState.GONE: Sign("Gone", "muted", "pause"),
}
FIELDS = ("source", "integration", "pipeline")
SAID = ("expected_within", "first_message_by", "calendar", "paused_until")
CLEARS = "-"
"""In a field: take away what was said."""
ACTIONS: dict[str, dict[str, object]] = {
    "retire": {"retired": True},
    "expect": {"retired": False},
    "resume": {"paused_until": None},
    "forget": {"remove": True},
    "save": {},
}
"""What each button adds to the fields of its form."""


def expected_sign(
    said: ExpectedFlow | None, last_seen_at: float | None, now_s: float
) -> Sign | None:
    """How a customer as a whole is expected, where somebody said something of it."""
    return STATE[said.state(last_seen_at, now_s)] if said else None


def expected_verdict(
    verdict: Verdict, said: ExpectedFlow | None, last_seen_at: float | None, now_s: float
) -> Verdict:
    """A customer that is paused or retired is that, not well and not quiet; trouble goes before."""
    is_plain = verdict.sign in {words.HEALTH[Health.OK], words.QUIET} or last_seen_at is None
    if said is None or not is_plain:
        return verdict
    state = said.state(last_seen_at, now_s)
    if state is FlowState.PAUSED:
        until = utc_short(said.paused_until or now_s, now_s)
        return Verdict(STATE[state], f"Paused until {until}: nothing is expected until then.")
    if state is FlowState.RETIRED:
        return Verdict(STATE[state], "Retired: nothing is expected of this customer any more.")
    if state is FlowState.DECLARED:
        by = utc_short(said.first_due_at, now_s)
        return Verdict(STATE[state], f"Its first message is expected by {by}.")
    return verdict


def expectations_page(sources: Sources) -> Page:
    """`/expectations`."""

    async def page(request: Request) -> Response:
        now_s = sources.clock.now()
        rows = rows_of(await ask_declared(sources, EVERYONE), now_s)
        counts = Counter(row["sign"].word for row in rows)
        context = {"now": now_s, "rows": rows[:SHOWN], "count": len(rows), "counts": counts}
        return render(request, "expectations.html", context)

    return page


def routers_page(sources: Sources) -> Page:
    """`/routers`."""

    async def page(request: Request) -> Response:
        routers = await in_thread(sources.expected.list_routers)
        rows = [{"router": one, "sign": ROUTER[one.state]} for one in routers]
        counts = Counter(ROUTER[one.state].word for one in routers)
        context = {"now": sources.clock.now(), "rows": rows, "counts": counts}
        return render(request, "routers.html", context)

    return page


def customer_expectations_page(sources: Sources) -> Page:
    """`/expectations/{tenant}`."""

    async def page(request: Request) -> Response:
        return await shown(sources, request, "")

    return page


def change_expectations(sources: Sources) -> Page:
    """What its forms post."""

    async def change(request: Request) -> Response:
        refuse_foreign(request)
        tenant = str(request.path_params["tenant"])
        form = await read_form(request)
        try:
            await carry_out(sources, request, tenant, form)
        except ItemError as error:
            return await shown(sources, request, str(error))
        address = f"/expectations/{segment(tenant)}"
        return RedirectResponse(address, status_code=303)

    return change


async def carry_out(sources: Sources, request: Request, tenant: str, form: dict[str, str]) -> None:
    """One button.

    Raises:
        ItemError: a field cannot be used.
    """
    action, actor = form.pop("action", ""), actor_of(request)
    if action == "offboard":
        await in_thread(partial(sources.expected.offboard, tenant, actor))
        return
    if action not in ACTIONS:
        raise ItemError("action", f"is one of offboard, {', '.join(ACTIONS)}")
    item: dict[str, object] = {"tenant": tenant}
    item |= {name: form[name] for name in FIELDS if form.get(name)}
    if action == "save":
        given = {name: form[name].strip() for name in SAID if form.get(name, "").strip()}
        item |= {name: None if text == CLEARS else text for name, text in given.items()}
    edit = read_item(item | ACTIONS[action], sources.clock.now())
    await in_thread(partial(sources.expected.apply, [edit], actor))


async def shown(sources: Sources, request: Request, fault: str) -> Response:
    """The page of what is expected of a customer."""
    tenant, now_s = str(request.path_params["tenant"]), sources.clock.now()
    declared, audit = await asyncio.gather(
        ask_declared(sources, Filters(tenant=tenant)),
        in_thread(partial(sources.expected.list_audit, tenant, 20)),
    )
    rows = rows_of(declared, now_s)
    context = {
        "now": now_s,
        "tenant": tenant,
        "rows": rows,
        "whole": next((row for row in rows if row["is_whole"]), None),
        "audit": audit,
        "fault": fault,
    }
    return render(request, "customer_expectations.html", context, status=400 if fault else 200)


def rows_of(declared: list[Declared], now_s: float) -> list[dict[str, Any]]:
    """What was said, as the tables show it; what needs a look comes first."""
    rows = [_row(one, now_s) for one in declared]
    order = [FlowState.OVERDUE, FlowState.RETURNED, FlowState.DECLARED, FlowState.PAUSED]
    rank = {state: place for place, state in enumerate(order)}
    return sorted(rows, key=lambda row: (rank.get(row["state"], len(rank)), row["scope"]))


def _row(one: Declared, now_s: float) -> dict[str, Any]:
    said, state = one.said, one.said.state(one.last_seen_at, now_s)
    return {
        "said": said,
        "scope": tuple(part or "" for part in said.scope),
        "where": Scope(None, *said.scope[1:]).describe() if any(said.scope[1:]) else "",
        "is_whole": not any(part is not None for part in said.scope[1:]),
        "state": state,
        "sign": STATE[state],
        "within": duration(said.expected_within_s) if said.expected_within_s else None,
        "is_paused": state is FlowState.PAUSED,
        "is_retired": said.retired_at is not None,
        "retired_at": None if said.retired_at == math.inf else said.retired_at,
        "is_waiting": state in {FlowState.DECLARED, FlowState.OVERDUE},
        "last_seen_at": one.last_seen_at,
    }


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        PayloadError: too large, or no text.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise PayloadError("the form is too large")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)))
    except ValueError:
        raise PayloadError("the form cannot be read") from None
