"""The command line: one function a command, or a module for those that belong together."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from streamgauge import __version__
from streamgauge.app import logs
from streamgauge.app.commands import explain, flows, imports, maps, moves, tune
from streamgauge.app.configuration import Configuration, load
from streamgauge.model.errors import StreamgaugeError

app = App(
    name="streamgauge",
    help="Watches message pipelines: for the whole platform, and for its smallest customer.",
    version=__version__,
)
config_app = App(name="config", help="Look at the configuration without starting anything.")
app.command(config_app)
set_aside_app = App(name="set-aside", help="See what the engine refused, and put it back.")
app.command(set_aside_app)
moves.register(app)
imports.register(app)
flows.register(app)
explain.register(app)
tune.register(app)
maps.register(app)

ConfigPath = Annotated[Path | None, Parameter(name="--config", help="TOML file with the settings.")]
DataPath = Annotated[Path | None, Parameter(help="Folder for everything that is kept.")]


@app.command
def up(
    *,
    config: ConfigPath = None,
    data: Annotated[Path | None, Parameter(help="Folder for everything that is kept.")] = None,
    listen: Annotated[str | None, Parameter(help="HOST:PORT; default 127.0.0.1:8686.")] = None,
    roles: Annotated[
        str | None, Parameter(help="receive, or detect,page,web: on a cluster; default: all.")
    ] = None,
) -> None:
    """Run everything: receive, detect, page and show."""
    from streamgauge.app.roles import parse_roles
    from streamgauge.app.up import run

    run(_load(config, data=data, listen=listen), parse_roles(roles))


@app.command
def replay(
    files: Annotated[
        list[Path],
        Parameter(help="Line protocol, also gzipped; - is stdin.", allow_leading_hyphen=True),
    ],
    /,
    *,
    config: ConfigPath = None,
    json: Annotated[bool, Parameter(help="NDJSON on stdout, which is the default too.")] = True,
) -> None:
    """Run detection over history on a simulated clock, and print incidents as NDJSON."""
    from streamgauge.app.commands.replay import run

    del json
    run(files, _load(config))


@app.command
def plan(
    *,
    messages_per_day: Annotated[str, Parameter(help="As 20000, 10k, 3M or 1.5G.")],
    tenants: Annotated[str, Parameter(help="How many customers.")],
    sources: Annotated[str, Parameter(help="Sources of each customer.")] = "2",
    integrations: Annotated[str, Parameter(help="Integrations of each customer.")] = "3",
    interval: Annotated[
        str, Parameter(help="Between two reports of a router; 0s: a line for each message.")
    ] = "10s",
    followed_per_day: Annotated[
        str, Parameter(help="Messages whose every hop is sent, by /v1/messages.")
    ] = "0",
    retention: Annotated[
        str | None, Parameter(help="Of raw lines; default: as configured.")
    ] = None,
    minute_retention: Annotated[str | None, Parameter(help="Of sums by the minute.")] = None,
    hour_retention: Annotated[str | None, Parameter(help="Of sums by the hour.")] = None,
    nodes: Annotated[int, Parameter(help="ClickHouse nodes; 0: as few as will do.")] = 0,
    config: ConfigPath = None,
    json: Annotated[bool, Parameter(help="Machine-readable, on stdout.")] = False,
) -> None:
    """Say what a load needs: memory, disk, CPU, network, money, and what to run it on."""
    from streamgauge.app.commands import plan as planning

    print(
        planning.plan(
            _load(config),
            counts={
                "--messages-per-day": messages_per_day,
                "--tenants": tenants,
                "--sources": sources,
                "--integrations": integrations,
                "--followed-per-day": followed_per_day,
            },
            interval=interval,
            retentions={"raw": retention, "minute": minute_retention, "hour": hour_retention},
            nodes=nodes,
            as_json=json,
        )
    )


@app.command
def doctor(
    *,
    config: ConfigPath = None,
    data: DataPath = None,
    json: Annotated[bool, Parameter(help="Machine-readable, on stdout.")] = False,
) -> None:
    """Measure this machine, and say what it can hold and what to mend."""
    from streamgauge.app.commands.doctor import run

    raise SystemExit(run(_load(config, data=data), as_json=json))


@config_app.command
def check(*, config: ConfigPath = None) -> None:
    """Say whether the configuration can be used, and what is wrong with it."""
    from streamgauge.app.wiring import check_store_url

    settings = _load(config)
    check_store_url(settings)
    print(
        f"the configuration is good: {len(settings.notify)} notifiers, {len(settings.rule)} rules"
    )


@set_aside_app.command(name="list")
def list_set_aside(*, config: ConfigPath = None, data: DataPath = None) -> None:
    """Say what was set aside, how many rows, since when and why."""
    from streamgauge.app import wiring
    from streamgauge.app.commands import set_aside

    print("\n".join(set_aside.show(wiring.data_folder(_load(config, data=data)))))


@set_aside_app.command(name="restore")
def restore_set_aside(*, config: ConfigPath = None, data: DataPath = None) -> None:
    """Have all of it inserted again, now that the cause is gone; each row counts once."""
    from streamgauge.app import wiring
    from streamgauge.app.commands import set_aside

    print("\n".join(set_aside.put_back(wiring.data_folder(_load(config, data=data)))))


def _load(
    config: Path | None, data: Path | None = None, listen: str | None = None
) -> Configuration:
    server = {"data": str(data) if data else None, "listen": listen}
    settings = load(config, {"server": server})
    logs.configure(settings.log.level, settings.log.format)
    return settings


def main() -> None:
    """The `streamgauge` command; what goes wrong is said in a sentence, with exit code 1."""
    try:
        app()
    except StreamgaugeError as error:
        print(f"streamgauge: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if os.environ.get("STREAMGAUGE_LOG__LEVEL") == "debug":
            raise
        print(
            f"streamgauge: a defect, please report it: {type(error).__name__}: {error}\n"
            "(STREAMGAUGE_LOG__LEVEL=debug shows where)",
            file=sys.stderr,
        )
        raise SystemExit(70) from None
