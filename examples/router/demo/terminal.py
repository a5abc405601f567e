"""What is seen: steps with progress, then live figures, incidents and pages.

In a terminal the figures stand still at the bottom; elsewhere (a pipe, a CI log) they are plain
lines, now and then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from examples.router.demo.gauge import Json
from examples.router.demo.wording import certainty, clock_time, figures, incident_link, side, who
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_S = 15.0


class Terminal:
    """Everything that is printed."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._live: Live | None = None
        self._plain_at = 0.0
        self._url = ""

    def __enter__(self) -> Terminal:
        """Start the figures that stand still."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop them."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, text: Text) -> None:
        """One line, however long: the terminal breaks it, not we."""
        self.console.print(text, soft_wrap=True)

    def step(self, text: str) -> None:
        """A step of the preparation begins."""
        self._print(Text("· ", "cyan").append(text, "default"))

    def say(self, text: str) -> None:
        """Something happened."""
        self._print(Text(f"{time.strftime('%H:%M:%S')}  ", "dim").append(text, "default"))

    def say_briefly(self, text: str) -> None:
        """Something happened; in a terminal one line of it, as the panel below says it in full."""
        line = Text(f"{time.strftime('%H:%M:%S')}  ", "dim").append(text, "default")
        if self.console.is_terminal:
            self.console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            self._print(line)

    def fail(self, text: str) -> None:
        """Something of the set-up failed."""
        self._print(Text("demo: ", "bold red").append(text, "default"))

    @contextmanager
    def progress(self, text: str, total: float) -> Iterator[_Bar]:
        """A bar in a terminal, a line every quarter elsewhere."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as bar:
            yield _Bar(self, bar, text, total)

    def box(self, url: str, hints: Sequence[str]) -> None:
        """The address, where nobody can miss it."""
        lines = Text(f"{url}\n", "bold green").append("\n".join(hints), "default")
        self.console.print(Panel(lines, title="streamgauge", expand=False, padding=(1, 3)))
        self._url = url

    def incident(self, incident: Json, what: str) -> None:
        """An incident opened or closed: who, since when, how sure, whose side."""
        is_closed = what == "closed"
        rows = Table.grid(padding=(0, 2))
        rows.add_row("who", who(incident))
        rows.add_row("since", clock_time(incident.get("since") or incident["opened_at"]))
        if is_closed:
            rows.add_row("until", clock_time(incident["closed_at"]))
        rows.add_row("how sure", certainty(incident))
        rows.add_row("whose side", side(incident))
        summary = Text(incident["summary"], "bold")
        title = f"{what}: {incident['kind']} · {incident['severity']}"
        style = "green" if is_closed else "red"
        self.console.print(
            Panel(Group(summary, rows), title=title, border_style=style, expand=False)
        )
        self._print(Text(f"  {incident_link(self._url, incident)}"))  # whole, to be clicked

    def now(self, overview: Json, incidents: Sequence[Json], note: str) -> None:
        """The figures of the last minute."""
        if self._live is not None:
            self._live.update(_figures(overview, incidents, note))
        elif time.monotonic() - self._plain_at >= PLAIN_EVERY_S:
            self._plain_at = time.monotonic()
            words = " · ".join(f"{name} {value}" for name, value in figures(overview))
            self.say(f"{words} · {len(incidents)} open · {note}")

    def assertion(self, sentence: str, found: str, *, holds: bool) -> None:
        """One line of the verdict."""
        mark = Text("ok      ", "green") if holds else Text("NOT OK  ", "bold red")
        self._print(mark.append(sentence if holds else f"{sentence} — found: {found}"))


class _Bar:
    """Progress of one step."""

    def __init__(self, terminal: Terminal, bar: Progress, text: str, total: float) -> None:
        self._terminal, self._bar, self._text, self._total = terminal, bar, text, total
        self._task = bar.add_task(text, total=total)
        self._told = 0

    def update(self, done: float) -> None:
        """So much of the total is done."""
        self._bar.update(self._task, completed=done)
        quarter = int(4 * done / self._total)
        if quarter > self._told and not self._terminal.console.is_terminal:
            self._told = quarter
            self._terminal.step(f"{self._text}: {quarter * 25} %")


def _figures(overview: Json, incidents: Sequence[Json], note: str) -> Panel:
    names = Table.grid(padding=(0, 3))
    named = figures(overview)
    names.add_row(*(Text(name, "dim") for name, _ in named))
    names.add_row(*(Text(value, "bold") for _, value in named))
    lines = [Text(f"● {one['summary']}", "red") for one in incidents[:5]]
    shown = lines or [Text("no open incident", "green")]
    return Panel(
        Group(names, *shown, Text(note, "dim")), title="the last minute", border_style="cyan"
    )
