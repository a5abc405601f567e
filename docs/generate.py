"""Writes the pages that the code already knows: `python docs/generate.py`.

`docs/configuration.md` comes from the tree of settings, so that it names every key, its default and
what is accepted. A test fails when the page is older than the tree.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
import typing
from collections.abc import Iterator
from enum import Enum
from itertools import chain, pairwise
from pathlib import Path

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streamgauge.app import config
from streamgauge.app.config.units import (
    parse_count_limit,
    parse_duration,
    parse_retention,
    parse_size,
    parse_size_limit,
)
from streamgauge.model.instants import read_instant

PAGE = Path(__file__).with_name("configuration.md")

INTRODUCTION = """\
<!-- Written by `python docs/generate.py` from src/streamgauge/app/config/. -->
# Configuration

Everything has a default. What differs stands in one TOML file, given by `--config`:

```toml
[server]
listen = "127.0.0.1:8686"

[[notify]]
kind = "opsgenie"
url = "https://api.opsgenie.com"
api_key = "…"

[[rule]]
metric = "error_ratio"
by = "integration"
above = 0.2
for = "5m"
severity = "P2"
```

- A variable wins over the file: `STREAMGAUGE_SERVER__LISTEN=127.0.0.1:9000` is `[server] listen`.
- A secret can stand in a file of its own: `STREAMGAUGE_AUTH__TOKENS_FILE=/run/secrets/tokens`.
- The command line wins over both: `--listen`, `--data`.
- Durations and sizes are written with their unit, in quotes: `"90s"`, `"5m"`, `"7d"`; `"25MB"`.
- An unknown key or a wrong unit stops the start; the message names file, key, value and what is
  accepted. `streamgauge config check --config FILE` says the same without starting.
- On loopback everything is open. On any other address streamgauge refuses to start without
  `[auth] tokens`.
"""

TABLES: dict[str, tuple[str, tuple[type[BaseModel], ...]]] = {
    **{f"[{name}]": ("", (section,)) for name, section in config.SECTIONS.items()},
    "[[notify]]": (
        "As often as there are places to tell. A notifier gets every incident of the severities it "
        "names, once, and the end of each; what is refused for now is sent again later.",
        (config.NotifyOpsgenie, config.NotifyWebhook, config.NotifyLog),
    ),
    "[[limit]]": ("", (config.TenantLimit,)),
    "[[scrape]]": ("", (config.Scrape,)),
    "[[redact]]": ("", (config.Redact,)),
    "[[map]]": ("", (config.MapSettings,)),
    "[[queue]]": (
        "As often as there are brokers: queues that are fetched ([collectors](collectors.md)).",
        config.QUEUES,
    ),
    "[[rule]]": ("", (config.Rule,)),
    "[[flow]]": ("", (config.DeclaredFlow,)),
}


def page() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION]
    for title, (text, models) in TABLES.items():
        parts.append(f"## `{title}`\n")
        if text:
            parts.append(f"{text}\n")
        for model in models:
            parts += _section(model, with_title=len(models) > 1)
    return "\n".join(parts)


def _section(model: type[BaseModel], *, with_title: bool) -> Iterator[str]:
    if with_title:
        (kind,) = typing.get_args(model.model_fields["kind"].annotation)
        yield f'### `kind = "{kind}"`\n'
    yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    docs = _attribute_docs(model)
    rows = [
        " | ".join([f"| `{f.alias or name}`", _accepted(f), _default(f), docs.get(name, "")]) + " |"
        for name, f in model.model_fields.items()
        if name != "kind"
    ]
    yield "\n".join(["| key | is | default | means |", "|---|---|---|---|", *rows, ""])


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each attribute, of the class and those it comes from."""
    docs: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if not ancestor.__module__.startswith(config.__name__):
            continue
        source = ast.parse(textwrap.dedent(inspect.getsource(ancestor)))
        body = typing.cast(ast.ClassDef, source.body[0]).body
        for statement, below in pairwise(body):
            match statement, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    docs[name] = " ".join(text.split())
    return docs


_UNITS = {
    parse_duration: "duration",
    read_instant: "instant",
    parse_retention: 'duration, or `"forever"`',
    parse_size: "size",
    parse_count_limit: 'whole number, or `"none"`',
    parse_size_limit: 'size, or `"none"`',
}


def _accepted(field: FieldInfo) -> str:
    inner = [getattr(part, "__metadata__", ()) for part in typing.get_args(field.annotation)]
    marks = chain(field.metadata, *inner)
    units = [mark.func for mark in marks if isinstance(mark, BeforeValidator)]
    told = [text for unit, text in _UNITS.items() if unit in units]
    return told[0] if told else _words(field.annotation)


def _words(annotation: object) -> str:
    inner = [part for part in typing.get_args(annotation) if part not in {type(None), Ellipsis}]
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if typing.get_origin(annotation) is tuple:
        return f"list of {_words(inner[0])}"
    if typing.get_origin(annotation) is dict:
        return f"table of {_words(inner[1])}"
    if inner:
        return _words(inner[0])
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    names[SecretStr] = "secret"
    return names.get(typing.cast(type, annotation), "address")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default in (None, (), {}):
        return ""
    return f"`{_shown(field.default, _accepted(field))}`"


def _shown(value: object, accepted: str) -> str:
    if value == math.inf:
        return '"forever"'
    if accepted.startswith("duration") and isinstance(value, float):
        return _with_unit(value, {"d": 86400, "h": 3600, "m": 60, "s": 1})
    if accepted == "size" and isinstance(value, int):
        return _with_unit(value, {"GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1})
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(part, "") for part in value) + "]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return f'"{value}"'


def _with_unit(value: float, units: dict[str, int]) -> str:
    for unit, size in units.items():
        if value >= size and value % size == 0:
            return f'"{value / size:g}{unit}"'
    return f'"{value:g}{list(units)[-1]}"'


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text() != page() and f"{PAGE} is stale: python docs/generate.py")
    PAGE.write_text(page())
