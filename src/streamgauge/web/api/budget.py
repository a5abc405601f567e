"""Our own budget as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict

from fastapi import APIRouter

from streamgauge.model.budget import Budget, Resource
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.shapes import Json, instant, known


def budget_router(sources: Sources) -> APIRouter:
    """`/budget`."""
    router = APIRouter(tags=["Budget"])

    @router.get("/budget", summary="Our own disk, memory and cost: budget, use, forecast")
    async def budget() -> Json:
        return {"budget": budget_shape(await in_thread(sources.operations.budget))}

    return router


def budget_shape(budget: Budget | None) -> Json | None:
    """Null before the first look; for ever and never are null too."""
    if budget is None:
        return None
    return {
        "at": instant(budget.at),
        "disk": resource_shape(budget.disk) | {"is_configured": budget.disk_is_budget},
        "series": resource_shape(budget.series),
        "levels": [
            {
                "level": level.level.value,
                "bytes": level.size_bytes,
                "rows": level.row_count,
                "bytes_per_day": known(level.bytes_per_day),
                "retention_s": known(level.retention_s),
                "kept_s": known(level.kept_s),
                "since": instant(level.since_s),
            }
            for level in budget.levels
        ],
        "given_up": {
            "raw_s": budget.given_up.raw_s,
            "minute_s": budget.given_up.minute_s,
            "since": instant(budget.given_up.since),
        },
        "memory": asdict(budget.memory)
        | {
            "resident_bytes": budget.resident_bytes,
            "engine_held_bytes": budget.engine_held_bytes,
        },
        "cost": asdict(budget.cost) | {"total": budget.cost.total},
        "tenants": [asdict(tenant) for tenant in budget.tenants],
        "tenant_count": budget.tenant_count,
    }


def resource_shape(resource: Resource) -> Json:
    """What is used, of how much, and when it is full."""
    full = resource.full
    return {
        "used": resource.used,
        "limit": resource.limit,
        "used_ratio": known(resource.used_ratio),
        "is_forecast": full is not None,
        "full_in": None
        if full is None or math.isinf(full.early_s)
        else {
            "early_s": known(full.early_s),
            "likely_s": known(full.likely_s),
            "late_s": known(full.late_s),
        },
    }
