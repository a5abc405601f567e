"""`python -m examples.router.demo [--check]`: show what streamgauge is for."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from examples.router.demo.errors import DemoError
from examples.router.demo.play import Play
from examples.router.demo.plot import CHECK, SHOW
from examples.router.demo.stage import Stage, choose_port
from examples.router.demo.terminal import Terminal
from examples.router.serving import until_told_to_stop


def main(arguments: Sequence[str] | None = None) -> int:
    """Until Ctrl-C; with --check until everything is asserted. 0: as it should be."""
    options = parse(arguments)
    terminal = Terminal()
    with tempfile.TemporaryDirectory(prefix="streamgauge-demo-") as folder:
        port = choose_port(options.port)
        if port != options.port:
            terminal.say(f"port {options.port} is in use; streamgauge takes {port} instead")
        play = Play(Stage(Path(folder), port), terminal, CHECK if options.check else SHOW)
        try:
            passed = asyncio.run(until_told_to_stop(play.run(is_check=options.check)))
        except DemoError as error:
            terminal.fail(str(error))
            return 1
    if passed is None:
        terminal.say("Stopped; nothing is left behind.")
    return 0 if passed or (passed is None and not options.check) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.router.demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="assert what is shown, then exit")
    parser.add_argument("--port", type=int, default=8686, help="of streamgauge, if it is free")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
