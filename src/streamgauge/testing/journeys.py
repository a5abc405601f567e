"""Messages and errors of a platform that does not exist, beside its figures (`testing.figures`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from streamgauge.model.journeys import ErrorGroup, ErrorSample, Hop, Journey
from streamgauge.model.views import Filters

SORTS: dict[str, Callable[[ErrorGroup], float]] = {
    "count": lambda group: -group.count,
    "tenants": lambda group: -group.tenant_count,
    "last_seen": lambda group: -group.last_at,
    "first_seen": lambda group: -group.first_at,
}
FAILED_ID, FINE_ID, WAITING_ID = "evt_01JDF8ZQ3M", "evt_01JDF8ZR7K", "order/77?a=1"


class FakeJourneys:
    """Answers as `web.ports.Metrics` does, for a platform with customers."""

    __slots__ = ()
    now: Callable[[], float]
    tenants: Sequence[str]
    failure: Exception | None

    def journey(self, message_id: str, tenant: str | None = None) -> Journey | None:
        """As `Metrics.journey`: of three messages."""
        self._fail()
        hops = {FAILED_ID: _failed, FINE_ID: _fine, WAITING_ID: _waiting}.get(message_id)
        if hops is None or not self.tenants or tenant not in {None, self.tenants[0]}:
            return None
        told = hops(Hop(self.now() - 300, self.tenants[0], "web", "", "main", "received", "ok", "",
                        "router-1", "2.4.1", None, None, 512, None))  # fmt: skip
        return Journey(message_id, told, is_complete=message_id != FINE_ID)

    def errors(
        self, from_s: float, to_s: float, sort: str, limit: int, filters: Filters
    ) -> list[ErrorGroup]:
        """As `Metrics.errors`."""
        self._fail()
        found = [
            group
            for group in (self._groups() if self.tenants else [])
            if filters.integration in {None, group.integration}
            and (filters.tenant is None or filters.tenant in dict(group.tenants))
            and group.last_at >= from_s
            and group.first_at < to_s
        ]
        return sorted(found, key=SORTS[sort])[:limit]

    def _groups(self) -> list[ErrorGroup]:
        now, (first, *others) = self.now(), self.tenants
        more = tuple((tenant, 40 - 2 * at) for at, tenant in enumerate(others[:12]))
        text = "status 503 from https://hooks.example.com/v1/8812 after 5003 ms"
        samples = tuple(
            ErrorSample(FAILED_ID, tenant, now - 60 * at, text)
            for at, tenant in enumerate([first, *others[:2]])
        )
        pattern = "status 503 from https://hooks.example.com/v1/<*> after <*> ms"
        return [
            ErrorGroup("4f1c2a9b00d1e2f3", "webhook", "unavailable", pattern, 1284, now - 5000,
                       now - 20, 1 + len(more), ((first, 900), *more), samples),
            ErrorGroup("9a77c01d5e6f7081", "ga4", "rejected", "no field <*> in event <*>", 3,
                       now - 900, now - 600, 1, ((first, 3),),
                       (replace(samples[0], error='no field "user_id" in event 77'),)),
            ErrorGroup("", "s3", "", "", 17, now - 3000, now - 1200, 1, ((first, 17),), ()),
        ]  # fmt: skip

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def _fine(hop: Hop) -> tuple[Hop, ...]:
    return (
        hop,
        replace(hop, at=hop.at + 0.02, stage="processed", queue_s=0.0123),
        replace(hop, at=hop.at + 0.14, stage="delivered", integration="ga4", latency_s=0.14),
        replace(hop, at=hop.at + 0.2, stage="delivered", integration="s3", outcome="filtered",
                reason="no consent", latency_s=0.2),
    )  # fmt: skip


def _failed(hop: Hop) -> tuple[Hop, ...]:
    error = "status 503 from https://hooks.example.com/v1/8812 after 5003 ms"
    sent = replace(hop, stage="delivered", integration="webhook", reason="unavailable", error=error)
    return (
        hop,
        replace(hop, at=hop.at + 0.02, stage="processed", queue_s=0.0123),
        replace(sent, at=hop.at + 5.02, outcome="retried", latency_s=5.02),
        replace(sent, at=hop.at + 95.3, outcome="error", latency_s=95.3, router="router-2"),
    )


def _waiting(hop: Hop) -> tuple[Hop, ...]:
    return (hop, replace(hop, at=hop.at + 1, stage="queued"))
