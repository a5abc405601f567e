"""`streamgauge plan`: what a load needs and costs, before there is a machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from streamgauge.app import wiring
from streamgauge.app.config.units import parse_retention
from streamgauge.app.configuration import Configuration
from streamgauge.govern.constants import Constants, measured
from streamgauge.govern.cost import month_cost
from streamgauge.govern.deployment import Deployment, deployment_of
from streamgauge.govern.hop_sizing import Journeys
from streamgauge.govern.sizing import MAX_DAYS, Kept, LevelSize, Sizing, Workload, size
from streamgauge.govern.words import count_words, size_words, span_words
from streamgauge.model.budget import MonthCost
from streamgauge.model.errors import ConfigError

_COUNT = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([kKMGBT]?)\s*")
_FACTORS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


def parse_count(option: str, text: str) -> float:
    """The number in `3M`, `10k`, `1.5G`, `20,000`.

    Raises:
        ConfigError: it is none; says what is accepted.
    """
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ConfigError(f"{option} {text!r}: a number such as 20000, 10k, 3M or 1.5G")
    return float(match[1].replace(",", "").replace("_", "")) * _FACTORS[match[2]]


def plan(
    configuration: Configuration,
    counts: Mapping[str, str],
    interval: str,
    retentions: Mapping[str, str | None],
    nodes: int,
    *,
    as_json: bool,
) -> str:
    """The plan as text, or as JSON.

    Args:
        configuration: prices, and what is not given.
        counts: by option, as they were written.
        interval: between two reports of a router, with its unit.
        retentions: `raw`, `minute`, `hour`; None: as configured.
        nodes: of a cluster; 0: none is asked for.
        as_json: machine-readable.

    Raises:
        ConfigError: something cannot be read, or is nonsense.
    """
    numbers = {option: parse_count(option, text) for option, text in counts.items()}
    if nodes < 0:
        raise ConfigError(f"--nodes {nodes}: 0 or more")
    workload = Workload(
        messages_per_day=numbers["--messages-per-day"],
        tenants=numbers["--tenants"],
        sources=numbers["--sources"],
        integrations=numbers["--integrations"],
        followed_per_day=numbers["--followed-per-day"],
        interval_s=_seconds("--interval", interval) if interval != "0" else 0.0,
        nodes=nodes,
    )
    kept = _kept_of(configuration, retentions)
    if workload.followed_per_day:
        kept = replace(kept, journeys=_journeys_of(configuration))
    constants = measured()
    sizing = size(workload, kept, constants)
    chosen = deployment_of(sizing, constants)
    cost = month_cost(
        wiring.prices(configuration),
        chosen.disk_bytes,
        chosen.memory_bytes,
        chosen.cpus,
        sizing.network_bytes_per_month,
    )
    if as_json:
        return json.dumps(_shape(sizing, chosen, cost, constants), indent=2)
    return "\n".join(_text(sizing, chosen, cost, constants))


def _seconds(option: str, text: str) -> float:
    try:
        return parse_retention(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from None


def _kept_of(configuration: Configuration, given: Mapping[str, str | None]) -> Kept:
    """Retention as given, else as configured and at least as long as that of a finer level."""
    store = configuration.store
    options = {"raw": "--retention", "minute": "--minute-retention", "hour": "--hour-retention"}
    finer_s, kept = 0.0, {}
    for name, option in options.items():
        text = given[name]
        configured = max(getattr(store, f"{name}_retention"), finer_s)
        kept[name] = configured if text is None else _seconds(option, text)
        if kept[name] < finer_s:
            raise ConfigError(f"{option} must not be shorter than that of a finer level")
        finer_s = kept[name]
    return Kept(kept["raw"], kept["minute"], kept["hour"], max(store.day_retention, finer_s))


def _journeys_of(configuration: Configuration) -> Journeys:
    given = configuration.journeys
    return Journeys(given.whole_for, given.retention, given.disk_budget)


def _text(
    sizing: Sizing, chosen: Deployment, cost: MonthCost, constants: Constants
) -> Iterator[str]:
    load = sizing.workload
    yield (
        f"For {count_words(load.messages_per_day)} messages a day of {count_words(load.tenants)} "
        f"tenants, each with {load.sources:g} sources and {load.integrations:g} integrations "
        f"({count_words(load.flows)} flows):"
    )
    yield ""
    nodes = f", {chosen.nodes} nodes and {chosen.receivers} receivers" * (chosen.kind == "cluster")
    yield f"  fits       {chosen.kind}{nodes}: {chosen.why}"
    peak = count_words(sizing.peak_lines_per_s)
    yield f"  lines      {count_words(sizing.lines_per_s)}/s, {peak}/s at the peak"
    yield f"  CPU        {chosen.cpus:g} processors ({sizing.cpus:.2g} busy by half at the peak)"
    yield f"  memory     {size_words(chosen.memory_bytes)}"
    yield f"  network    {size_words(sizing.network_bytes_per_month)} a month, in"
    yield f"  disk       {size_words(chosen.disk_bytes)}, of which data:"
    yield from (_level_line(level) for level in sizing.levels)
    if sizing.kept_journeys_ratio is not None:
        yield (
            f"             journeys of messages without trouble: {sizing.kept_journeys_ratio:.0%} "
            "are kept so long ([journeys] disk_budget)"
        )
    parts = {"disk": cost.disk, "memory": cost.memory, "CPU": cost.cpu, "network": cost.network}
    told = ", ".join(f"{name} {value:,.2f}" for name, value in parts.items())
    yield f"  money      {cost.total:,.2f} {cost.currency} a month: {told}"
    if cost.is_example:
        yield "             at example prices: put what you pay into [prices] of the configuration"
    yield ""
    yield (
        f"Constants measured {constants.measured_at or 'never'} at {constants.commit or '?'} by "
        f"`{constants.command or '?'}`; customers are taken to be alike, which needs the most."
    )


def _level_line(level: LevelSize) -> str:
    kept = span_words(level.kept_days * 86_400)
    kept = "for ever (counted as 10 y)" if level.kept_days >= MAX_DAYS else f"for {kept}"
    size_text, rows = size_words(level.size_bytes), count_words(level.rows)
    each = f"{rows:>8} rows of {level.row_bytes:.1f} B"
    return f"    {level.name:8} {size_text:>8}  {each}, kept {kept}"


def _shape(
    sizing: Sizing, chosen: Deployment, cost: MonthCost, constants: Constants
) -> dict[str, object]:
    return {
        "workload": asdict(sizing.workload) | {"flows": sizing.workload.flows},
        "deployment": asdict(chosen),
        "lines_per_s": sizing.lines_per_s,
        "peak_lines_per_s": sizing.peak_lines_per_s,
        "peak_load_per_s": sizing.peak_load_per_s,
        "kept_journeys_ratio": sizing.kept_journeys_ratio,
        "cpus": sizing.cpus,
        "memory_bytes": sizing.memory_bytes,
        "disk_bytes": sizing.disk_bytes,
        "network_bytes_per_month": sizing.network_bytes_per_month,
        "levels": [asdict(level) | {"bytes": level.size_bytes} for level in sizing.levels],
        "cost": asdict(cost) | {"total": cost.total},
        "constants": asdict(constants),
    }
