"""The commands about what metrics mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from streamgauge.app import logs
from streamgauge.app.configuration import load

ConfigPath = Annotated[Path | None, Parameter(name="--config", help="TOML file with the settings.")]


def register(app: App) -> None:
    """Add them."""
    map_app = App(name="map", help="See what metrics mean, before they are sent.")
    map_app.command(try_file, name="try")
    app.command(map_app)


def try_file(
    file: Annotated[
        str, Parameter(help="A sample in any format; - is stdin.", allow_leading_hyphen=True)
    ],
    /,
    *,
    config: ConfigPath = None,
) -> None:
    """Say what each series of a sample becomes, by which rule, and what is not understood."""
    from streamgauge.app.commands.map_try import run

    settings = load(config, {})
    logs.configure(settings.log.level, settings.log.format)
    rules = [one.rule(number) for number, one in enumerate(settings.map, start=1)]
    print(run(file, rules))
