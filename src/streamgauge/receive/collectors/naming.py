"""Which queues are taken, and whose they are by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate

from streamgauge.model.gatherer import QueueReading

GROUPS = ("tenant", "integration", "pipeline")
_WILD = re.compile(r"[*?\[]")
_PART = re.compile(r"\{([^{}]*)\}|\*")


def compile_pattern(text: str) -> re.Pattern[str]:
    """`events.{tenant}.{integration}` as a regular expression; `*` stands for any text.

    Raises:
        ValueError: a name in braces is not known, or stands there twice; says what is accepted.
    """
    parts, at, names = [], 0, list[str]()
    for found in _PART.finditer(text):
        parts.append(re.escape(text[at : found.start()]))
        at = found.end()
        name = found[1]
        if name is None:
            parts.append(".*?")
            continue
        if name not in GROUPS or name in names:
            accepted = ", ".join(f"{{{group}}}" for group in GROUPS)
            raise ValueError(f"{{{name}}} in {text!r}: {accepted} are accepted, each once")
        names.append(name)
        parts.append(f"(?P<{name}>.+?)")
    if not names:
        raise ValueError(f"{text!r} names nothing: write such as events.{{tenant}}.{{integration}}")
    parts.append(re.escape(text[at:]))
    return re.compile("".join(parts), re.DOTALL)


def _compiled(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(translate(glob) for glob in globs)) if globs else None


@dataclass(frozen=True, slots=True)
class Naming:
    """Filters of one collector, and the patterns of its names."""

    include: tuple[str, ...] = ()
    """Globs; none: all queues are taken."""
    exclude: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """The first that fits a whole name tells its tenant, integration and pipeline."""
    prefix: str = ""
    """Before every name, where two brokers have queues of the same name."""
    _included: re.Pattern[str] | None = field(init=False, repr=False, default=None)
    _excluded: re.Pattern[str] | None = field(init=False, repr=False, default=None)
    _shapes: tuple[re.Pattern[str], ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_included", _compiled(self.include))
        object.__setattr__(self, "_excluded", _compiled(self.exclude))
        shapes = tuple(compile_pattern(pattern) for pattern in self.patterns)
        object.__setattr__(self, "_shapes", shapes)

    def takes(self, queue: str) -> bool:
        """Whether a queue, as its broker calls it, is wanted."""
        if self._included and not self._included.match(queue):
            return False
        return not (self._excluded and self._excluded.match(queue))

    @property
    def exact(self) -> tuple[str, ...]:
        """The queues that are included by their very names."""
        return tuple(name for name in self.include if not _WILD.search(name))

    @property
    def is_exact(self) -> bool:
        """Whether nothing has to be discovered."""
        return bool(self.include) and len(self.exact) == len(self.include)

    def named(self, readings: Iterable[QueueReading]) -> list[QueueReading]:
        """Those that are wanted, with whose they are; and those that are wanted and missing."""
        taken = [one for one in readings if self.takes(one.queue)]
        present = {one.queue for one in taken}
        missing = [
            QueueReading(name, problem="it does not exist, or these credentials may not see it")
            for name in self.exact
            if name not in present and self.takes(name)
        ]
        return [self._named(one) for one in (*taken, *missing)]

    def _named(self, reading: QueueReading) -> QueueReading:
        found = next(filter(None, (shape.fullmatch(reading.queue) for shape in self._shapes)), None)
        groups = found.groupdict() if found else {}
        return replace(
            reading,
            queue=self.prefix + reading.queue,
            tenant=reading.tenant or groups.get("tenant", ""),
            integration=reading.integration or groups.get("integration", ""),
            pipeline=reading.pipeline or groups.get("pipeline", ""),
        )
